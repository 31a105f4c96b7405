"""Graphs of Mask R-CNN and Cascade Mask R-CNN: boxes with masks."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import require_kind
from rexdense.deploy.detection.faster_rcnn import FasterRCNNGraph
from rexdense.deploy.detection.pooling import RegionPooling
from rexdense.deploy.detection.stages import stages_of
from rexdense.deploy.graph import GraphOutput
from rexdense.errors import InvalidArgument


class MaskRCNNGraph(FasterRCNNGraph):
    """Graph of mmdet's Mask R-CNN with FPN, from images to detections with masks.

    In addition to boxes, scores and labels it returns ``masks`` (N, D, 28, 28): the logits of the
    detected class over its box. :func:`rexdense.deploy.pasting.paste_masks` turns them into masks
    of the image. If an image has fewer detections, the rest are 0. The mask head always reads all D
    places, so a smaller ``max_per_img`` makes the graph faster. In a cascade, all mask heads read
    the final boxes, and their probabilities are averaged.

    Args:
        network: The detector; its ``test_cfg`` gives the thresholds and numbers.

    Raises:
        InvalidArgument: a part or setting is not supported.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        head = self.network.roi_head
        if not head.with_mask:
            raise InvalidArgument(
                f'the {type(network).__name__} finds boxes alone: FasterRCNNGraph is its graph'
            )
        mask_heads = stages_of(head.mask_head)
        for mask_head in mask_heads:
            require_kind(mask_head, 'FCNMaskHead', 'mask head')
            if mask_head.upsample_method == 'carafe':
                raise InvalidArgument('a mask head with upsample_cfg type carafe has no graph')
        if head.share_roi_extractor:
            raise InvalidArgument(
                'a mask head that shares the features of the box head has no graph: give it a '
                'mask_roi_extractor'
            )
        self.mask_pools = nn.ModuleList(map(RegionPooling, stages_of(head.mask_roi_extractor)))
        last = mask_heads[-1]
        self.class_agnostic_masks = last.class_agnostic
        with torch.no_grad():
            pooled = torch.zeros(1, last.in_channels, *self.mask_pools[-1].size)
            self.mask_channels, *size = last(pooled).shape[1:]
        self.mask_size = tuple(size)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.features(images)
        found = self.found(features, *images.shape[2:])
        labels = found['labels']
        heads = stages_of(self.network.roi_head.mask_head)
        masks = [
            self._of_classes(head(pool(features, found['boxes'], labels >= 0)), labels)
            for head, pool in zip(heads, self.mask_pools, strict=True)
        ]
        return found | dict(masks=averaged_masks(masks))

    def reference(self, images: Tensor) -> dict[str, Tensor]:
        """Return the detections of mmdet's own code, with the logits of its mask head."""
        features = self.features(images)
        found = self.reference_found(features, *images.shape[2:])
        labels = found['labels']
        # mmdet reads only the features of detections.
        image, place = (labels >= 0).nonzero(as_tuple=True)
        rows = torch.cat((image[:, None].float(), found['boxes'][image, place]), dim=1)
        head, masks = self.network.roi_head, []
        is_cascade = isinstance(head.mask_head, nn.ModuleList)
        for stage in range(len(self.mask_pools)):
            logits = torch.zeros(*labels.shape, self.mask_channels, *self.mask_size)
            if len(rows):
                which = (stage,) if is_cascade else ()
                logits[image, place] = head._mask_forward(*which, features, rows)['mask_preds']
            masks.append(self._of_classes(logits.flatten(0, 1), labels))
        return found | dict(masks=averaged_masks(masks))

    def _of_classes(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Select the logits of the labels (N, D) from logits (N * D, classes, height, width), as
        (N, D, height, width)."""
        logits = logits.reshape(*labels.shape, -1, *self.mask_size)
        if self.class_agnostic_masks:
            chosen = logits[:, :, 0]
        else:
            index = labels.clamp(min=0)[..., None, None, None]
            chosen = logits.gather(2, index.expand(-1, -1, 1, *self.mask_size))[:, :, 0]
        return torch.where((labels >= 0)[..., None, None], chosen, 0.0)

    def outputs(self) -> list[GraphOutput]:
        masks = GraphOutput('masks', ('batch', self.most, *self.mask_size))
        return [*super().outputs(), masks]

    def details(self) -> dict[str, Any]:
        """Return the settings in the graph, and those for pasting the masks."""
        threshold = self.network.roi_head.test_cfg.mask_thr_binary
        return super().details() | dict(
            mask_form='logits over the box; rexdense.deploy.pasting.paste_masks',
            mask_threshold=float(threshold),
        )


def averaged_masks(stages: Sequence[Tensor]) -> Tensor:
    """Return the logits of the mean probabilities over the stages' logits (mmdet
    ``CascadeRoIHead.predict_mask``). It uses logarithms, since probabilities near 1 round to 1."""
    if len(stages) == 1:
        return stages[0]
    logits = torch.stack(tuple(stages))
    return F.logsigmoid(logits).logsumexp(dim=0) - F.logsigmoid(-logits).logsumexp(dim=0)
