"""Pictures of a sample at a stage of its pipeline."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from rexdense.datasets.segmentation.class_list import class_colours
from rexdense.engine.browse.stages import PACKED, Stage
from rexdense.visualization.boxes import Objects, draw_objects
from rexdense.visualization.depth import colour_depth, depth_range
from rexdense.visualization.labels import draw_labels
from rexdense.visualization.tiles import beside, fitted, titled

TILE_HEIGHT, TILE_WIDTH = 220, 300
LEAST_SHARE = 0.005
"""Smallest share of a class in the target of a mixed image at which the class is named."""


class Shown(NamedTuple):
    """The content of a sample at a stage, for any kind of data.

    Attributes:
        image: (H, W, 3), uint8, RGB.
        objects: Boxes, and masks if there are any.
        labels: Label map (H, W), uint16.
        depth: (H, W), float32, metres; 0 is no depth.
        scores: Share of each class in the target, (classes,).
    """

    image: np.ndarray
    objects: Objects | None = None
    labels: np.ndarray | None = None
    depth: np.ndarray | None = None
    scores: np.ndarray | None = None

    def differs(self, other: 'Shown') -> bool:
        """Return whether anything differs from another content."""
        mine, theirs = self._arrays(), other._arrays()
        return mine.keys() != theirs.keys() or any(
            not np.array_equal(mine[name], theirs[name]) for name in mine
        )

    def _arrays(self) -> dict[str, np.ndarray]:
        found = dict(image=self.image, labels=self.labels, depth=self.depth, scores=self.scores)
        if self.objects is not None:
            found |= dict(boxes=self.objects.boxes, masks=self.objects.masks)
        return {name: array for name, array in found.items() if array is not None}


def shown_at(results: Mapping[str, Any], num_classes: int) -> Shown | None:
    """Return the content of a sample at a stage; None before an image is loaded.

    Args:
        results: The result of a transform of mmdet, mmseg or rexdense.
    """
    if set(PACKED) <= results.keys():
        return _packed(results['inputs'], results['data_samples'], num_classes)
    if results.get('img') is None:
        return None
    image = _colour(results['img'])
    objects = labels = depth = scores = None
    if results.get('gt_bboxes') is not None:
        masks = results.get('gt_masks')
        objects = _objects(
            results['gt_bboxes'], results['gt_bboxes_labels'], masks, image.shape[:2]
        )
    if results.get('gt_seg_map') is not None:
        labels = _map(results['gt_seg_map']).astype(np.uint16)
    if results.get('gt_depth_map') is not None:
        depth = _map(results['gt_depth_map'])
    if 'gt_label' in results:
        scores = _one_hot(results['gt_label'], num_classes)
    return Shown(image, objects, labels, depth, scores)


def _packed(inputs: torch.Tensor, sample: Any, num_classes: int) -> Shown:
    image = _colour(inputs.permute(1, 2, 0).numpy())
    objects = labels = depth = scores = None
    if 'gt_instances' in sample:
        found = sample.gt_instances
        objects = _objects(found.bboxes, found.labels, found.get('masks'), image.shape[:2])
    if 'gt_sem_seg' in sample:
        labels = _map(sample.gt_sem_seg.data).astype(np.uint16)
    if 'gt_depth_map' in sample:
        depth = _map(sample.gt_depth_map.data)
    if 'gt_score' in sample:
        scores = np.asarray(sample.gt_score)
    elif 'gt_label' in sample:
        scores = _one_hot(sample.gt_label, num_classes)
    return Shown(image, objects, labels, depth, scores)


def _colour(image: np.ndarray) -> np.ndarray:
    """Return a BGR image of any type as RGB of uint8. An image with one or two channels becomes
    grey, from its first channel."""
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] < 3:
        image = image[..., :1].repeat(3, 2)
    return (
        np.rint(image[..., :3].astype(np.float32)).clip(0, 255).astype(np.uint8)[..., ::-1].copy()
    )


def _map(values: Any) -> np.ndarray:
    return np.asarray(values).squeeze()


def _one_hot(label: Any, num_classes: int) -> np.ndarray:
    return np.eye(num_classes, dtype=np.float32)[int(label)]


def _objects(boxes: Any, labels: Any, masks: Any, size: tuple[int, int]) -> Objects:
    boxes = np.asarray(getattr(boxes, 'tensor', boxes), np.float32).reshape(-1, 4)
    pixels = None
    if masks is not None:
        pixels = masks.to_ndarray() if hasattr(masks, 'to_ndarray') else np.asarray(masks)
        pixels = pixels.astype(bool).reshape(-1, *pixels.shape[-2:])
        if pixels.shape[1:] != size:  # before a transform that pads or crops them with the image
            pixels = None
    return Objects(boxes, np.asarray(labels, np.int64), masks=pixels)


def labels_in(shown: Sequence[Shown]) -> set[int]:
    """Return the classes in label maps, including void."""
    maps = [each.labels for each in shown if each.labels is not None]
    return {int(label) for labels in maps for label in np.unique(labels)}


def depth_span(shown: Sequence[Shown]) -> tuple[float, float] | None:
    """Return the nearest and the farthest depth over all samples; None without depth maps."""
    maps = [each.depth for each in shown if each.depth is not None]
    return depth_range(maps) if maps else None


def draw_stage(
    stage: Stage,
    shown: Shown,
    before: Shown | None,
    metainfo: Mapping[str, Any],
    span: tuple[float, float] | None = None,
) -> np.ndarray:
    """Return a tile with the sample at a stage, below the name of the transform and a description.

    Args:
        before: The stage before; None for the first.
        metainfo: ``classes`` and, optionally, ``palette`` of the data.
        span: The depths that the colours span.
    """
    classes = tuple(metainfo.get('classes') or ())
    room = TILE_WIDTH // 2 if shown.depth is not None else TILE_WIDTH
    height, width = shown.image.shape[:2]
    image = fitted(shown.image, max(1, min(TILE_HEIGHT, room * height // width)))[:, :room]
    size = f'{width} x {height}'
    if shown.objects is not None:
        objects = shown.objects.resized((height, width), image.shape[:2])
        image = draw_objects(image, objects, classes)
        size += f', {len(objects.boxes)} {"object" if len(objects.boxes) == 1 else "objects"}'
    if shown.labels is not None:
        labels = fitted(shown.labels, image.shape[0], keep_values=True)[:, : image.shape[1]]
        palette = metainfo.get('palette') or class_colours(classes)
        image = draw_labels(image, labels, palette)
    if shown.depth is not None and span is not None:
        depth = colour_depth(shown.depth, *span)
        image = beside([image, fitted(depth, image.shape[0], keep_values=True)[:, :room]])
    if shown.scores is not None:
        size += f', {_named(shown.scores, classes)}'
    same = before is not None and not shown.differs(before)
    tile = np.full((TILE_HEIGHT, TILE_WIDTH, 3), 255, np.uint8)
    tile[: image.shape[0], : image.shape[1]] = image[:TILE_HEIGHT, :TILE_WIDTH]
    if same:
        # Paler, so that transforms with an effect stand out.
        tile = 255 - (255 - tile) // 3
    return titled(tile, stage.name, f'{size}, as before' if same else size)


def _named(scores: np.ndarray, classes: Sequence[str]) -> str:
    order = [label for label in np.argsort(-scores, kind='stable') if scores[label] > LEAST_SHARE]
    if len(order) == 1:
        return classes[order[0]]
    return ' + '.join(f'{scores[label]:.2f} {classes[label]}' for label in order[:3])
