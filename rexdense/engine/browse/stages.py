"""A sample after each step of its pipeline, and samples as the batch that a model is given."""

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
"""The keys of a packed sample, the image and what is known of it."""


class Stage(NamedTuple):
    """A sample after a step.

    Attributes:
        name: That of the transform.
        results: What the transform has returned.
    """

    name: str
    results: Mapping[str, Any]


def seeded(*seeds: int) -> None:
    """Seed the random numbers that transforms draw: Python's, NumPy's and torch's."""
    seed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def stages(dataset: Any, index: int) -> list[Stage] | None:
    """Return a sample of a data set after each transform; None where one of them drops it, as
    happens to crops without an object.

    Args:
        dataset: One of mmengine's form, or one that joins, repeats or mixes such.
    """
    found = []
    for name, results in _walk(dataset, index):
        if results is None:
            return None
        # Later transforms write into the same arrays.
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
    """Return packed samples as the model's preprocessor makes one batch of them: scaled, padded to
    one size, mixed with one another; their colours are as they were, for people to see.

    Args:
        model: That section of the config.
        samples: What the last transform has returned of each.
        training: Whether they are trained on; otherwise each is a batch of its own.
        classes: How many there are.

    Returns:
        A stage for each sample; none where the config leaves the preprocessor to the model.
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
    """Return images and samples as a classifier of rexdense mixes them; the samples get the shares
    of the classes as ``gt_score``."""
    labels = torch.tensor([int(sample.gt_label) for sample in samples])
    targets = functional.one_hot(labels, classes).to(images.dtype)
    images, targets = MODELS.build(augments)(images, targets)
    for sample, target in zip(samples, targets, strict=True):
        sample.set_field(target, 'gt_score')
    return images, samples


def _in_colour(images: Tensor, preprocessor: nn.Module) -> Tensor:
    """Return a batch (N, C, H, W) with its normalisation undone, uint8, channels as files are read:
    blue, green, red."""
    if getattr(preprocessor, '_enable_normalize', False):
        images = images * preprocessor.std + preprocessor.mean
    swapped = getattr(preprocessor, '_channel_conversion', False) or getattr(
        preprocessor, 'channel_conversion', False
    )
    images = images.flip(1) if swapped else images
    return images.round().clamp(0, 255).to(torch.uint8)
