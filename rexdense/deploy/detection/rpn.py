"""Graph of a region proposal network (RPN), and the proposals of a detector."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import Anchors, BoxDecoder, anchors_of, require_kind
from rexdense.deploy.detection.candidates import (
    DROPPED,
    chosen_boxes,
    nms_threshold,
    with_fillers,
    without_small,
)
from rexdense.deploy.detection.operators import kept_by_nms
from rexdense.deploy.graph import Graph
from rexdense.errors import InvalidArgument


class RPNGraph(Graph):
    """Graph of a detector's backbone, neck and RPN head.

    For each level of the pyramid it returns ``cls_logits_stride_S`` (N, A, h, w) and
    ``box_deltas_stride_S`` (N, 4 A, h, w), with A anchors per pixel.

    Args:
        network: A two-stage detector of mmdet.
    """

    def __init__(self, network: nn.Module) -> None:
        require_kind(getattr(network, 'rpn_head', None), 'RPNHead', 'region proposals')
        super().__init__(network)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        scores, deltas = self.network.rpn_head(self.network.extract_feat(images))
        strides = [stride[0] for stride in self.network.rpn_head.prior_generator.strides]
        outputs = {}
        for stride, score, delta in zip(strides, scores, deltas, strict=True):
            outputs[f'cls_logits_stride_{stride}'] = score
            outputs[f'box_deltas_stride_{stride}'] = delta
        return outputs

    def details(self) -> dict[str, Any]:
        """Return the settings to compute boxes from the outputs."""
        head = self.network.rpn_head
        generator, coder = head.prior_generator, head.bbox_coder
        return dict(
            anchors=[
                dict(stride=list(stride), boxes=base.tolist())
                for stride, base in zip(generator.strides, generator.base_anchors, strict=True)
            ],
            box_deltas=dict(means=list(coder.means), stds=list(coder.stds)),
        )


class Proposals(nn.Module):
    """Proposals of each image from the outputs of an RPN head.

    Args:
        head: mmdet's RPNHead. Its ``test_cfg`` gives the number of candidates per level
            (``nms_pre``), their minimum size, their maximum overlap, and the number of regions per
            image.

    Raises:
        InvalidArgument: a setting is not supported.
    """

    def __init__(self, head: Any) -> None:
        super().__init__()
        require_kind(head, 'RPNHead', 'region proposals')
        if not head.use_sigmoid_cls:
            raise InvalidArgument('a region proposal head with softmax scores has no graph')
        self.settings = head.test_cfg
        self.candidates = self.settings.get('nms_pre', -1)
        if self.candidates <= 0:
            raise InvalidArgument(
                f'test_cfg.rpn.nms_pre={self.candidates}: a graph needs a number of candidates a '
                'level, such as 1000'
            )
        regions = self.settings.get('max_per_img', 0)
        if regions <= 0:
            raise InvalidArgument(
                f'test_cfg.rpn.max_per_img={regions}: a graph needs a number of regions an image, '
                'such as 1000'
            )
        self.iou_threshold, _ = nms_threshold(self.settings.nms, 'test_cfg.rpn.nms')
        generator = head.prior_generator
        require_kind(generator, 'AnchorGenerator', 'anchors')
        self.anchors = anchors_of(generator)
        self.most = min(regions, len(self.anchors) * self.candidates)
        self.decode = BoxDecoder(head.bbox_coder)

    def forward(
        self, logits: Sequence[Tensor], deltas: Sequence[Tensor], height: int, width: int
    ) -> tuple[Tensor, Tensor]:
        """Return regions (N, regions, 4) and their scores (N, regions), best first.

        Args:
            logits: (N, A, h, w) per level.
            deltas: (N, 4 A, h, w) per level.
            height: Height of the images, to which regions are clipped.
            width: Width of the images.
        """
        levels = [self._best(*level) for level in zip(self.anchors, logits, deltas, strict=True)]
        scores, anchors, offsets = (
            torch.stack(parts, dim=1) for parts in zip(*levels, strict=True)
        )
        # All have the shape (N, levels, candidates, ...).
        boxes = self.decode(anchors, offsets, height, width)
        scores = without_small(scores, boxes, self.settings.get('min_bbox_size', -1))
        kept = kept_by_nms(boxes.flatten(0, 1), scores.flatten(0, 1), self.iou_threshold, 0.0)
        scores = torch.where(kept.reshape_as(scores), scores, DROPPED).flatten(1)
        scores, places = scores.topk(self.most, dim=1)
        return chosen_boxes(boxes.flatten(1, 2), places), scores

    def _best(self, anchors: Anchors, logits: Tensor, deltas: Tensor) -> tuple[Tensor, ...]:
        """Return scores, anchors and deltas (N, candidates, ...) of the best ones of a level."""
        batch, _, height, width = logits.shape
        scores = logits.permute(0, 2, 3, 1).reshape(batch, -1).sigmoid()
        deltas = deltas.permute(0, 2, 3, 1).reshape(batch, -1, 4)
        boxes = anchors(height, width)
        scores, deltas, boxes = with_fillers(scores, deltas, boxes, self.candidates)
        scores, places = scores.topk(self.candidates, dim=1)
        return scores, boxes[places], chosen_boxes(deltas, places)
