"""Samples after each transform of their pipeline, and as a batch for a model."""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import ConfigDict
from torch import Tensor, nn
from torch.nn import functional

from rexdense.registry import MODELS

NETWORK = 'network input'
PACKED = ('inputs', 'data_samples')
"""Keys of a packed sample: the image, and the data sample."""


class Stage(NamedTuple):
    """A sample after a transform.

    Attributes:
        name: Name of the transform.
        results: The result of the transform.
    """

    name: str
    results: Mapping[str, Any]


def seeded(*seeds: int) -> None:
    """Seed the random numbers of Python, NumPy and torch, which transforms use."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def stages(dataset: Any, index: int) -> list[Stage] | None:
    """Return a sample of a data set after each transform; None if a transform drops it, such as a
    crop without an object.

    Args:
        dataset: A data set of mmengine's form, or a wrapper that joins, repeats or mixes such data
            sets.
    """
    found = []
    for name, results in _walk(dataset, index):
        if results is None:
            return None
        # Copied because later transforms write into the same arrays.
        found.append(Stage(name, copy.deepcopy(results)))
    return found


def _walk(dataset: Any, index: int) -> Iterator[tuple[str, Any]]:
    if hasattr(dataset, 'pipeline_types'):  # mmdet's MultiImageMixDataset
        yield from _walk_mixed(dataset, index)
    elif hasattr(dataset, 'datasets'):
        part, place = dataset._get_ori_dataset_idx(index)
        yield from _walk(dataset.datasets[part], place)
    elif hasattr(dataset, 'dataset'):
        yield from _walk(dataset.dataset, dataset._get_ori_dataset_idx(index))
    else:
        yield from _steps(dataset.get_data_info(index), dataset.pipeline.transforms)


def _walk_mixed(dataset: Any, index: int) -> Iterator[tuple[str, Any]]:
    results = None
    for name, results in _walk(dataset.dataset, index):
        yield name, results
    skipped = dataset._skip_type_keys or ()
    for kind, transform in zip(dataset.pipeline_types, dataset.pipeline, strict=True):
        if results is None or kind in skipped:
            continue
        results = copy.deepcopy(results)
        if hasattr(transform, 'get_indexes'):
            chosen = transform.get_indexes(dataset.dataset)
            chosen = chosen if isinstance(chosen, Sequence) else [chosen]
            results['mix_results'] = [copy.deepcopy(dataset.dataset[each]) for each in chosen]
        results = transform(results)
        if results is not None:
            results.pop('mix_results', None)
        yield type(transform).__name__, results


def _steps(results: Any, transforms: Sequence[Callable]) -> Iterator[tuple[str, Any]]:
    for transform in transforms:
        results = transform(results)
        yield type(transform).__name__, results
        if results is None:
            return


def as_batch(
    model: ConfigDict, samples: Sequence[Mapping[str, Any]], training: bool, classes: int
) -> list[Stage]:
    """Return packed samples as the batch of the model's preprocessor: scaled, padded to one size
    and mixed with one another. The normalisation is undone, for display.

    Args:
        model: The section ``model`` of the config.
        samples: The result of the last transform for each.
        training: Whether they form one training batch; otherwise each is a batch of its own.
        classes: Number of classes.

    Returns:
        A stage for each sample; none if the config leaves the preprocessor to the model.
    """
    if not model.get('data_preprocessor'):
        return []
    preprocessor = MODELS.build(model.data_preprocessor)
    found = []
    for together in [samples] if training else [[sample] for sample in samples]:
        data = {key: [copy.deepcopy(sample[key]) for sample in together] for key in PACKED}
        batch = preprocessor(data, training)
        images, labelled = batch['inputs'], batch['data_samples']
        if training and model.get('batch_augments'):
            images, labelled = _mixed(model.batch_augments, images, labelled, classes)
        images = _in_colour(images, preprocessor)
        found += zip(images, labelled, strict=True)
    return [Stage(NETWORK, dict(zip(PACKED, pair, strict=True))) for pair in found]


def _mixed(
    augments: ConfigDict, images: Tensor, samples: Sequence[Any], classes: int
) -> tuple[Tensor, Sequence[Any]]:
    """Return images and samples mixed as in a classifier of rexdense. The samples get the class
    shares as ``gt_score``."""
    labels = torch.tensor([int(sample.gt_label) for sample in samples])
    targets = functional.one_hot(labels, classes).to(images.dtype)
    images, targets = MODELS.build(augments)(images, targets)
    for sample, target in zip(samples, targets, strict=True):
        sample.set_field(target, 'gt_score')
    return images, samples


def _in_colour(images: Tensor, preprocessor: nn.Module) -> Tensor:
    """Return a batch (N, C, H, W) without its normalisation, uint8, with channels in BGR order."""
    if getattr(preprocessor, '_enable_normalize', False):
        images = images * preprocessor.std + preprocessor.mean
    swapped = getattr(preprocessor, '_channel_conversion', False) or getattr(
        preprocessor, 'channel_conversion', False
    )
    images = images.flip(1) if swapped else images
    return images.round().clamp(0, 255).to(torch.uint8)
