"""A sheet of samples at the stages of their pipeline."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.segmentation.class_list import class_colours
from rexdense.engine.browse.pictures import (
    Shown,
    depth_span,
    draw_stage,
    labels_in,
    shown_at,
)
from rexdense.engine.browse.stages import PACKED, Stage, as_batch, seeded, stages
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.checks.mask_transforms import require_masks_that_follow
from rexdense.engine.scope import import_scope
from rexdense.errors import DataError, InvalidArgument
from rexdense.visualization.depth import depth_scale
from rexdense.visualization.labels import label_legend
from rexdense.visualization.tiles import above_strip, below, beside, titled

MOST_TRIES = 20
"""Number of samples to try per requested sample; some cannot be read, or a transform drops them."""


class BrowsedSample(NamedTuple):
    """A sample with its stages.

    Attributes:
        index: Index in the data set.
        name: Name of its file.
        stages: One per transform, and the batch of all samples last.
    """

    index: int
    name: str
    stages: list[Stage]


def browse(
    config: Config, split: str, number: int, seed: int
) -> tuple[list[BrowsedSample], Mapping[str, Any]]:
    """Return samples of a config's data at each stage, and the ``metainfo`` of the data set.

    Args:
        split: 'train', 'val' or 'test', which selects the data loader.
        number: Number of random samples; fewer if the data set is smaller.
        seed: Seed of the selection and of the transforms.

    Raises:
        InvalidArgument: the config has no such data loader, or a transform would not move masks
            along with the boxes.
        DataError: the data cannot be used, or transforms drop every sample that was tried.
    """
    loader = config.get(f'{split}_dataloader')
    if not loader:
        raise InvalidArgument(f'--split {split}: the config has no {split}_dataloader')
    require_masks_that_follow(loader)
    import_scope(config)
    scope = config.get('default_scope', 'mmengine')
    with DefaultScope.overwrite_default_scope(scope), config_faults():
        dataset = DATASETS.build(loader.dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        if not len(dataset):
            raise DataError(f'the data of {split} have no sample; give a folder with images')
        samples = _samples(dataset, number, seed)
        metainfo = dict(getattr(dataset, 'metainfo', None) or {})
        packed = [sample.stages[-1].results for sample in samples]
        if all(set(PACKED) <= results.keys() for results in packed):
            seeded(seed)
            training = split == 'train'
            classes = len(metainfo.get('classes') or ())
            last = as_batch(config.model, packed, training, classes)
            for sample, stage in zip(samples, last, strict=False):
                sample.stages.append(stage)
    return samples, metainfo


def _samples(dataset: Any, number: int, seed: int) -> list[BrowsedSample]:
    order = np.random.default_rng(seed).permutation(len(dataset))
    found, why = [], 'transforms dropped it'
    for index in map(int, order[: MOST_TRIES * number]):
        if len(found) == number:
            break
        seeded(seed, index)
        try:
            followed = stages(dataset, index)
        except ImageError as error:
            why = str(error)
            continue
        if followed:
            found.append(BrowsedSample(index, _file_name(followed), followed))
    if not found:
        raise DataError(
            f'none of {min(len(order), MOST_TRIES * number)} samples comes through the pipeline; '
            f'of the last one: {why}'
        )
    return found


def _file_name(followed: list[Stage]) -> str:
    for stage in followed:
        path = stage.results.get('img_path')
        if path:
            return os.path.basename(str(path))
    return ''


def draw_browsed(samples: list[BrowsedSample], metainfo: Mapping[str, Any]) -> np.ndarray:
    """Return the sheet (H, W, 3), uint8, RGB, with a row per sample and a column per stage. The
    legend of label maps or the scale of depths is below."""
    classes = tuple(metainfo.get('classes') or ())
    seen = [
        [(stage, shown_at(stage.results, len(classes))) for stage in sample.stages]
        for sample in samples
    ]
    all_shown = [shown for row in seen for _, shown in row if shown is not None]
    span = depth_span(all_shown)
    rows = []
    for sample, row in zip(samples, seen, strict=True):
        tiles, before = [], None
        for stage, shown in row:
            if shown is None:
                continue
            tiles.append(draw_stage(stage, shown, before, metainfo, span))
            before = shown
        rows.append(titled(beside(tiles), f'sample {sample.index}: {sample.name}'))
    return _above_key(below(rows), all_shown, classes, metainfo, span)


def _above_key(
    picture: np.ndarray,
    shown: list[Shown],
    classes: tuple[str, ...],
    metainfo: Mapping[str, Any],
    span: tuple[float, float] | None,
) -> np.ndarray:
    found = labels_in(shown)
    if found:
        palette = metainfo.get('palette') or class_colours(classes)
        return above_strip(picture, lambda width: label_legend(found, classes, palette, width))
    if span is not None:
        return above_strip(picture, lambda width: depth_scale(*span, width))
    return picture
