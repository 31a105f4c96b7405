"""A whole Faster R-CNN as one graph, suppression and region pooling included."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import BoxDecoder, pad_to_multiple, require_kind
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.detection.operators import kept_by_nms, onnx_translations
from rexdense.deploy.detection.pooling import RegionPooling
from rexdense.deploy.detection.rpn import DROPPED, Proposals, nms_threshold
from rexdense.deploy.graph import Graph, GraphOutput
from rexdense.errors import InvalidArgument

__all__ = ['Detections', 'FasterRCNNGraph']


class FasterRCNNGraph(Graph):
    """mmdet's Faster R-CNN with a feature pyramid, from images to detections.

    Its outputs are ``boxes`` (N, D, 4) as x1, y1, x2, y2 in pixels of the images, ``scores`` (N, D)
    and ``labels`` (N, D), best first, D being the config's ``max_per_img``. Where an image has
    fewer, the rest has score 0 and label -1. The graph pads images to the multiple that the network
    asks for by itself; boxes are clipped to the images as they came.

    Args:
        network: The detector; thresholds and numbers are those of its ``test_cfg``.

    Raises:
        InvalidArgument: it has a part or a setting without a graph.
    """

    formats = ('onnx',)
    kind = 'FasterRCNN'
    """The class of mmdet that it is the graph of."""

    def __init__(self, network: nn.Module) -> None:
        require_kind(network, self.kind, 'whole')
        super().__init__(network)
        head = self.network.roi_head
        require_kind(head, 'StandardRoIHead', 'region head')
        self.divisor = self.network.data_preprocessor.pad_size_divisor
        self.proposals = Proposals(self.network.rpn_head)
        self.pool = RegionPooling(head.bbox_roi_extractor)
        self.detections = Detections(head)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.found(self.features(images), *images.shape[2:])

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the levels of the pyramid for images of any size."""
        return self.network.extract_feat(pad_to_multiple(images, self.divisor))

    def found(self, features: tuple[Tensor, ...], height: int, width: int) -> dict[str, Tensor]:
        """Return the boxes, scores and labels found in the features of images of that size."""
        logits, deltas = self.network.rpn_head(features)
        regions, scores = self.proposals(logits, deltas, height, width)
        pooled = self.pool(features, regions, scores > DROPPED)
        logits, deltas = self.network.roi_head.bbox_head(pooled)
        return self.detections(regions, scores, logits, deltas, height, width)

    def reference(self, images: Tensor) -> dict[str, Tensor]:
        """Return the detections that mmdet's own code finds."""
        return self.reference_found(self.features(images), *images.shape[2:])

    def reference_found(
        self, features: tuple[Tensor, ...], height: int, width: int
    ) -> dict[str, Tensor]:
        """Return what :meth:`found` should, by mmdet's own code."""
        batch, head = len(features[0]), self.network.roi_head
        info = dict(img_shape=(height, width))
        samples = [BaseDataElement(metainfo=info) for _ in range(batch)]
        regions = self.network.rpn_head.predict(features, samples, rescale=False)
        results = head.predict_bbox(features, [info] * batch, regions, head.test_cfg)
        most = self.detections.most_for(self.proposals.most)
        boxes, scores = torch.zeros(batch, most, 4), torch.zeros(batch, most)
        labels = torch.full((batch, most), -1)
        for place, result in enumerate(results):
            count = len(result.scores)
            boxes[place, :count], scores[place, :count] = result.bboxes, result.scores
            labels[place, :count] = result.labels
        return dict(boxes=boxes, scores=scores, labels=labels)

    def errors(
        self, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
    ) -> dict[str, float]:
        return detection_errors(found, expected)

    def example(self, *shape: int, seed: int = 0) -> Tensor:
        """Return blotches of several sizes: in noise a trained detector would find nothing."""
        generator = torch.Generator().manual_seed(seed)
        batch, channels, height, width = shape
        images = torch.zeros(shape)
        for side in (8, 16, 32, 64):
            cells = (batch, channels, height // side + 2, width // side + 2)
            noise = torch.randn(cells, generator=generator)
            images += F.interpolate(noise, (height, width), mode='bilinear')
        return images

    def onnx_translations(self) -> dict[Callable, Callable]:
        return onnx_translations()

    def outputs(self) -> list[GraphOutput]:
        most = self.detections.most_for(self.proposals.most)
        return [
            GraphOutput('boxes', ('batch', most, 4)),
            GraphOutput('scores', ('batch', most)),
            GraphOutput('labels', ('batch', most)),
        ]

    def details(self) -> dict[str, Any]:
        """Return the settings that went into the graph."""
        return dict(
            box_form='x1, y1, x2, y2 in pixels of the input',
            score_threshold=self.detections.score_threshold,
            iou_threshold=self.detections.iou_threshold,
        )


class Detections(nn.Module):
    """From what the box head says of each region to the detections of each image.

    Args:
        head: mmdet's StandardRoIHead.

    Raises:
        InvalidArgument: a head or a setting without a graph.
    """

    def __init__(self, head: Any) -> None:
        super().__init__()
        if head.bbox_head.custom_cls_channels or not head.bbox_head.with_reg:
            raise InvalidArgument(
                f'a {type(head.bbox_head).__name__} with scores of its own, or without boxes, has '
                'no graph'
            )
        settings = head.test_cfg
        self.classes = head.bbox_head.num_classes
        self.score_threshold = float(settings.score_thr)
        if self.score_threshold < 0:
            raise InvalidArgument(f'test_cfg.rcnn.score_thr={self.score_threshold}: at least 0')
        self.most = settings.max_per_img
        self.iou_threshold, self.class_agnostic = nms_threshold(settings.nms, 'test_cfg.rcnn.nms')
        self.decode = BoxDecoder(head.bbox_head.bbox_coder)

    def most_for(self, regions: int) -> int:
        """Return the greatest number of detections of an image with that many regions."""
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
            logits: (N * regions, classes + 1), the last one being that of the background.
            deltas: (N * regions, 4 classes), or 4 for all classes.
            height: Of the images; boxes are clipped to it.
            width: Likewise.
        """
        batch, count = regions.shape[:2]
        scores = logits.softmax(dim=-1)[:, :-1].reshape(batch, count, self.classes)
        scores = torch.where(region_scores[..., None] > DROPPED, scores, DROPPED)
        deltas = deltas.reshape(batch, count, -1, 4)
        boxes = self.decode(regions[:, :, None], deltas, height, width)
        # (N, classes, regions), so that classes are groups of their own.
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
        boxes = boxes.flatten(1, 2).gather(1, places[..., None].expand(-1, -1, 4))
        found = scores > DROPPED
        return dict(
            boxes=torch.where(found[..., None], boxes, 0.0),
            scores=torch.where(found, scores, 0.0),
            labels=torch.where(found, places // count, -1),
        )
