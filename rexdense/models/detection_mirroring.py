"""Flip test of detectors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.utils import weighted_boxes_fusion
from mmdet.structures.bbox import bbox_flip, bbox_overlaps
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData

from rexdense.device import bare_model

# The axes of (..., H, W) to flip.
_AXES = {'horizontal': (-1,), 'vertical': (-2,), 'diagonal': (-2, -1)}
_OVERLAP = 0.7
"""IoU above which two boxes of one class belong to the same object."""


class DetectionFlipTest(BaseTTAModel):
    """Flip test of an mmdet detector: it fuses the detections in an image and its mirror images.

    Overlapping boxes of one class are fused to one object (weighted boxes fusion, Solovyev et al.
    2019). The box is their mean, weighted by the scores. The score is the mean over all views, with
    0 for a view without the object. If boxes of one view overlap, only the best one counts. A pixel
    belongs to the mask if it does so in most of the masks, weighted by the scores, too.
    ``mmdet.DetTTAModel`` keeps only the best box, which gives a quarter of the gain in AP on blood
    cells (docs/predictor.md), and does not support masks.

    Args:
        module: The model; it may be wrapped for distributed training.
        directions: The additional flips: 'horizontal', 'vertical' and 'diagonal' (both). Choose
            orientations that occur in the training.
    """

    def __init__(self, module: Any, directions: Sequence[str] = ('horizontal',)) -> None:
        super().__init__(module)
        self.directions = tuple(directions)
        config = bare_model(module).test_cfg or {}
        self._most = (config.get('rcnn') or config).get('max_per_img', -1)

    def test_step(self, data: dict[str, Any]) -> list[Any]:
        """Return the data samples of a batch, with boxes (n, 4) in pixels of the images."""
        views = [self.module.test_step(data)]
        for direction in self.directions:
            mirrored = dict(
                inputs=[
                    _mirrored(image, sample, direction)
                    for image, sample in zip(data['inputs'], data['data_samples'], strict=True)
                ],
                # Models write into the samples.
                data_samples=[sample.new() for sample in data['data_samples']],
            )
            views.append(self.module.test_step(mirrored))
        return self.merge_preds(list(zip(*views, strict=True)))

    def merge_preds(self, data_samples_list: list[tuple[Any, ...]]) -> list[Any]:
        """Return the first data sample of each image with the fused detections of all views."""
        directions = (None, *self.directions)
        for samples in data_samples_list:
            views = [
                _view(sample.pred_instances, direction, sample.ori_shape)
                for sample, direction in zip(samples, directions, strict=True)
            ]
            samples[0].pred_instances = _fused(views, self._most)
        return [first for first, *_ in data_samples_list]


def _mirrored(padded: torch.Tensor, sample: Any, direction: str) -> torch.Tensor:
    """Return a flipped image (C, H, W). The padding stays where it is: below and to the right, or
    on all sides, as for CornerNet and CenterNet."""
    scales = sample.get('scale_factor', (1, 1))[::-1]
    height, width = (
        round(size * scale) for size, scale in zip(sample.ori_shape, scales, strict=False)
    )
    top, bottom, left, right = map(int, sample.get('border', (0, height, 0, width)))
    mirrored, image = padded.clone(), padded[:, top:bottom, left:right]
    mirrored[:, top:bottom, left:right] = image.flip(_AXES[direction])
    return mirrored


class _View(NamedTuple):
    """Detections in one view, flipped back.

    Attributes:
        found: Boxes, scores and labels, the best first.
        masks: All masks of the view (m, H, W), not flipped back: copies of whole-image masks could
            exhaust the memory. None if the model gives no masks.
        places: The index into ``masks`` of each detection in ``found``.
        axes: The axes along which the masks are flipped.
    """

    found: InstanceData
    masks: torch.Tensor | None
    places: list[int]
    axes: tuple[int, ...]

    def mask(self, number: int) -> torch.Tensor:
        """Return the mask (H, W) of a detection."""
        return self.masks[self.places[number]].flip(self.axes)


def _view(found: InstanceData, direction: str | None, size: Sequence[int]) -> _View:
    places = _single(found)
    boxes = found.bboxes[places]
    kept = InstanceData(
        bboxes=bbox_flip(boxes, size, direction) if direction else boxes,
        scores=found.scores[places],
        labels=found.labels[places],
    )
    return _View(kept, found.get('masks'), places, _AXES[direction] if direction else ())


def _fused(views: list[_View], most: int = -1) -> InstanceData:
    """Return the fused objects of all views, the best first.

    Args:
        most: The largest number of objects; a negative number means no limit.
    """
    parts = [
        [view.found[key].cpu().numpy() for view in views] for key in ('bboxes', 'scores', 'labels')
    ]
    boxes, scores, labels = weighted_boxes_fusion(*parts, iou_thr=_OVERLAP)
    like = views[0].found
    fused = InstanceData(
        bboxes=boxes.reshape(-1, 4).to(like.bboxes),
        scores=scores.to(like.scores),
        labels=labels.to(like.labels),
    )
    if most >= 0:
        fused = fused[:most]
    if views[0].masks is not None:
        fused.masks = _fused_masks(fused, views)
    return fused


def _single(view: InstanceData) -> list[int]:
    """Return the indices of the boxes of a view, the best first, without empty boxes and boxes that
    overlap a better one of their class.

    Detectors without NMS (DETR) or with soft-NMS give further boxes of low scores for an object,
    which would lower its mean score.
    """
    again = bbox_overlaps(view.bboxes, view.bboxes) > _OVERLAP
    again = (again & (view.labels[:, None] == view.labels)).cpu().numpy()
    there = (view.bboxes[:, 2:] > view.bboxes[:, :2]).all(1).cpu().numpy()
    kept: list[int] = []
    for place in view.scores.cpu().argsort(descending=True, stable=True).tolist():
        if there[place] and not again[place, kept].any():
            kept.append(place)
    return kept


def _fused_masks(fused: InstanceData, views: list[_View]) -> torch.Tensor:
    """Return the masks (n, H, W) of fused objects. For each object, a view contributes the mask of
    its most overlapping box of the same class, if the overlap is large enough."""
    masks = views[0].masks.new_zeros((len(fused), *views[0].masks.shape[1:]))
    for number, (box, label) in enumerate(zip(fused.bboxes, fused.labels, strict=True)):
        chosen = []
        for view in views:
            found = view.found
            overlaps = bbox_overlaps(box[None], found.bboxes)[0] * (found.labels == label)
            # Each fused box overlaps the last of its boxes by more than this.
            if len(found) and overlaps.max() > _OVERLAP:
                best = int(overlaps.argmax())
                chosen.append((found.scores[best], view.mask(best)))
        total = sum(score for score, _ in chosen)
        masks[number] = sum(score * mask for score, mask in chosen) > total / 2
    return masks
