"""Graphs of Faster R-CNN and Cascade R-CNN, including NMS and region pooling."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import BoxDecoder, require_kind
from rexdense.deploy.detection.candidates import (
    DROPPED,
    as_detections,
    chosen_boxes,
    nms_threshold,
)
from rexdense.deploy.detection.detector import DetectorGraph
from rexdense.deploy.detection.operators import kept_by_nms
from rexdense.deploy.detection.pooling import RegionPooling
from rexdense.deploy.detection.rpn import Proposals
from rexdense.deploy.detection.stages import Refinement, stages_of
from rexdense.errors import InvalidArgument


class FasterRCNNGraph(DetectorGraph):
    """Graph of mmdet's Faster R-CNN or Cascade R-CNN with FPN, from images to detections.

    The RoI head of a Cascade R-CNN has several stages, each of which reads the boxes of the one
    before. The scores are the softmax of the mean logits, and the boxes are those of the last stage
    (mmdet ``CascadeRoIHead.predict_bbox``). For a Mask R-CNN, this is the graph of only the boxes.
    """

    kinds = ('FasterRCNN', 'MaskRCNN', 'CascadeRCNN')

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        head = self.network.roi_head
        require_kind(head, ('StandardRoIHead', 'CascadeRoIHead'), 'region head')
        if head.with_shared_head:
            raise InvalidArgument('a region head with a shared_head has no graph')
        self.proposals = Proposals(self.network.rpn_head)
        self.pools = nn.ModuleList(map(RegionPooling, stages_of(head.bbox_roi_extractor)))
        *before, last = _supported(stages_of(head.bbox_head))
        self.refinements = nn.ModuleList(map(Refinement, before))
        self.detections = Detections(last, head.test_cfg)
        self.most = self.detections.most_for(self.proposals.most)
        self.score_threshold = self.detections.score_threshold
        self.iou_threshold = self.detections.iou_threshold

    def found(self, features: tuple[Tensor, ...], height: int, width: int) -> dict[str, Tensor]:
        logits, deltas = self.network.rpn_head(features)
        regions, scores = self.proposals(logits, deltas, height, width)
        heads, of_stages = stages_of(self.network.roi_head.bbox_head), []
        for stage, head in enumerate(heads):
            logits, deltas = head(self.pools[stage](features, regions, scores > DROPPED))
            of_stages.append(logits)
            if stage < len(self.refinements):
                regions = self.refinements[stage](regions, logits, deltas, height, width)
        logits = torch.stack(of_stages).mean(dim=0)
        return self.detections(regions, scores, logits, deltas, height, width)

    def results(
        self, features: tuple[Tensor, ...], samples: Sequence[BaseDataElement]
    ) -> Sequence[Any]:
        head = self.network.roi_head
        regions = self.network.rpn_head.predict(features, samples, rescale=False)
        infos = [sample.metainfo for sample in samples]
        return head.predict_bbox(features, infos, regions, head.test_cfg)


def _supported(heads: list[Any]) -> list[Any]:
    for head in heads:
        if getattr(head, 'custom_cls_channels', False) or not getattr(head, 'with_reg', False):
            raise InvalidArgument(
                f'a {type(head).__name__} with scores of its own, or without boxes, has no graph'
            )
    return heads


class Detections(nn.Module):
    """Detections of each image from the outputs of the box head for each region.

    Args:
        head: mmdet's box head; in a cascade, the last one.
        settings: ``test_cfg.rcnn`` of the detector.

    Raises:
        InvalidArgument: the head or a setting is not supported.
    """

    def __init__(self, head: Any, settings: Any) -> None:
        super().__init__()
        self.classes = head.num_classes
        self.score_threshold = float(settings.score_thr)
        if self.score_threshold < 0:
            raise InvalidArgument(f'test_cfg.rcnn.score_thr={self.score_threshold}: at least 0')
        self.most = settings.max_per_img
        self.iou_threshold, self.class_agnostic = nms_threshold(settings.nms, 'test_cfg.rcnn.nms')
        self.decode = BoxDecoder(head.bbox_coder)

    def most_for(self, regions: int) -> int:
        """Return the maximum number of detections of an image with that many regions."""
        possible = regions * self.classes
        return min(self.most, possible) if self.most > 0 else possible

    def forward(
        self,
        regions: Tensor,
        region_scores: Tensor,
        logits: Tensor,
        deltas: Tensor,
        height: int,
        width: int,
    ) -> dict[str, Tensor]:
        """Return boxes, scores and labels.

        Args:
            regions: (N, regions, 4).
            region_scores: (N, regions).
            logits: (N * regions, classes + 1), the background last.
            deltas: (N * regions, 4 classes), or 4 for all classes.
            height: Height of the images, to which boxes are clipped.
            width: Width of the images.
        """
        batch, count = regions.shape[:2]
        scores = logits.softmax(dim=-1)[:, :-1].reshape(batch, count, self.classes)
        scores = torch.where(region_scores[..., None] > DROPPED, scores, DROPPED)
        deltas = deltas.reshape(batch, count, -1, 4)
        boxes = self.decode(regions[:, :, None], deltas, height, width)
        # (N, classes, regions), so that NMS runs per class.
        scores = scores.transpose(1, 2)
        boxes = boxes.expand(batch, count, self.classes, 4).transpose(1, 2)
        first, last = (1, 2) if self.class_agnostic else (0, 1)
        kept = kept_by_nms(
            boxes.flatten(first, last),
            scores.flatten(1) if self.class_agnostic else scores.flatten(0, 1),
            self.iou_threshold,
            self.score_threshold,
        )
        scores = torch.where(kept.reshape(scores.shape), scores, DROPPED).flatten(1)
        scores, places = scores.topk(self.most_for(count), dim=1)
        boxes = chosen_boxes(boxes.flatten(1, 2), places)
        return as_detections(boxes, scores, places // count)
