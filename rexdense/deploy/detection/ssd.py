"""Graphs of SSD and SSDLite, including NMS."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import Anchors, BoxDecoder, anchors_of, require_kind
from rexdense.deploy.detection.candidates import (
    DROPPED,
    as_detections,
    chosen_boxes,
    nms_threshold,
    with_fillers,
    without_small,
)
from rexdense.deploy.detection.detector import DetectorGraph
from rexdense.deploy.detection.operators import kept_by_nms
from rexdense.errors import InvalidArgument

_STEP = 64


class SSDGraph(DetectorGraph):
    """Graph of mmdet's SSD and SSDLite, from images to detections.

    It accepts images of any size. As in mmdet, the anchors are those for the config's image size.
    """

    kinds = ('SingleStageDetector',)

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        head = self.network.bbox_head
        require_kind(head, 'SSDHead', 'box head')
        settings = head.test_cfg
        self.classes, self.most = head.num_classes, settings.get('max_per_img', -1)
        self.candidates = settings.get('nms_pre', -1)
        for name, value in (('max_per_img', self.most), ('nms_pre', self.candidates)):
            if value <= 0:
                raise InvalidArgument(
                    f'test_cfg.{name}={value}: a graph needs a number above 0, such as 200'
                )
        self.score_threshold = float(settings.get('score_thr', 0.0))
        if self.score_threshold < 0:
            raise InvalidArgument(f'test_cfg.score_thr={self.score_threshold}: at least 0')
        self.smallest = settings.get('min_bbox_size', -1)
        self.iou_threshold, self.class_agnostic = nms_threshold(settings.nms, 'test_cfg.nms')
        self.anchors = anchors_of(head.prior_generator)
        self.most = min(self.most, len(self.anchors) * self.candidates)
        self.decode = BoxDecoder(head.bbox_coder)
        self.traced_side = self._side_without_single_pixels()

    @torch.no_grad()
    def _side_without_single_pixels(self) -> int:
        """Return the side of an image whose feature maps all have at least 2 x 2 pixels:
        torch.export treats a side of 1 in the example as constant."""
        side = max(max(anchors.stride) for anchors in self.anchors)
        while min(self.features(torch.zeros(1, self.in_channels, side, side))[-1].shape[2:]) < 2:
            side += _STEP
        return side

    def found(self, features: tuple[Tensor, ...], height: int, width: int) -> dict[str, Tensor]:
        levels = [
            self._best(*level)
            for level in zip(self.anchors, *self.network.bbox_head(features), strict=True)
        ]
        scores, labels, anchors, deltas = (
            torch.cat(parts, dim=1) for parts in zip(*levels, strict=True)
        )
        # All have the shape (N, levels * candidates, ...).
        boxes = self.decode(anchors, deltas, height, width)
        scores = without_small(scores, boxes, self.smallest)
        kept = kept_by_nms(self._apart(boxes, scores, labels), scores, self.iou_threshold, 0.0)
        scores, places = torch.where(kept, scores, DROPPED).topk(self.most, dim=1)
        return as_detections(chosen_boxes(boxes, places), scores, labels.gather(1, places))

    def _best(self, anchors: Anchors, logits: Tensor, deltas: Tensor) -> tuple[Tensor, ...]:
        """Return scores, labels, anchors and deltas (N, candidates, ...) of the best ones of a
        level. An anchor occurs once per class that it may have.

        Args:
            logits: (N, A (classes + 1), h, w), with the background last for each anchor.
            deltas: (N, 4 A, h, w).
        """
        batch, _, height, width = logits.shape
        logits = logits.permute(0, 2, 3, 1).reshape(batch, -1, self.classes + 1)
        scores = logits.softmax(dim=-1)[..., :-1].flatten(1)
        scores = torch.where(scores > self.score_threshold, scores, DROPPED)
        deltas = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)
        boxes = anchors(height, width)
        scores, deltas, boxes = with_fillers(scores, deltas, boxes, self.candidates)
        scores, places = scores.topk(self.candidates, dim=1)
        anchor = places // self.classes
        return scores, places % self.classes, boxes[anchor], chosen_boxes(deltas, anchor)

    def _apart(self, boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensor:
        """Return boxes (N, candidates, 4) shifted by class, so that boxes of different classes do
        not overlap. The shifts are those of mmcv's ``batched_nms``, to round equally."""
        if self.class_agnostic:
            return boxes
        farthest = torch.where((scores > DROPPED)[..., None], boxes, 0.0).amax(dim=(1, 2))
        return boxes + (labels * (farthest[:, None] + 1))[..., None]

    def results(
        self, features: tuple[Tensor, ...], samples: Sequence[BaseDataElement]
    ) -> Sequence[Any]:
        return self.network.bbox_head.predict(features, samples, rescale=False)
