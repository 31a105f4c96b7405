"""A whole Mask R-CNN as one graph: a Faster R-CNN, and a mask for each detection."""

from typing import Any

import torch
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import require_kind
from rexdense.deploy.detection.faster_rcnn import FasterRCNNGraph
from rexdense.deploy.detection.pooling import RegionPooling
from rexdense.deploy.graph import GraphOutput
from rexdense.errors import InvalidArgument

__all__ = ['MaskRCNNGraph']


class MaskRCNNGraph(FasterRCNNGraph):
    """mmdet's Mask R-CNN with a feature pyramid, from images to detections with masks.

    Beside boxes, scores and labels there is ``masks`` (N, D, 28, 28): the logits of
    the class found, over its box. :func:`rexdense.deploy.pasting.paste_masks` makes masks of the
    image of them. Where an image has fewer detections, the rest is 0. The mask head reads all D
    places, whether there is a detection or not: a smaller ``max_per_img`` makes the graph faster.

    Args:
        network: The detector; thresholds and numbers are those of its ``test_cfg``.

    Raises:
        InvalidArgument: it has a part or a setting without a graph.
    """

    kind = 'MaskRCNN'

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        head = self.network.roi_head
        require_kind(head.mask_head, 'FCNMaskHead', 'mask head')
        if head.mask_head.upsample_method == 'carafe':
            raise InvalidArgument('a mask head with upsample_cfg type carafe has no graph')
        if head.share_roi_extractor:
            raise InvalidArgument(
                'a mask head that shares the features of the box head has no graph: give it a '
                'mask_roi_extractor'
            )
        self.mask_pool = RegionPooling(head.mask_roi_extractor)
        with torch.no_grad():
            pooled = torch.zeros(1, head.mask_head.in_channels, *self.mask_pool.size)
            self.mask_size = tuple(head.mask_head(pooled).shape[2:])

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.features(images)
        found = self.found(features, *images.shape[2:])
        labels = found['labels']
        pooled = self.mask_pool(features, found['boxes'], labels >= 0)
        return found | dict(masks=self._of_classes(self.network.roi_head.mask_head(pooled), labels))

    def reference(self, images: Tensor) -> dict[str, Tensor]:
        """Return the detections that mmdet's own code finds, with the logits of its mask head."""
        features = self.features(images)
        found = self.reference_found(features, *images.shape[2:])
        labels = found['labels']
        # mmdet reads the features of detections alone.
        image, place = (labels >= 0).nonzero(as_tuple=True)
        rows = torch.cat((image[:, None].float(), found['boxes'][image, place]), dim=1)
        head = self.network.roi_head
        logits = torch.zeros(
            *labels.shape, head.mask_head.conv_logits.out_channels, *self.mask_size
        )
        if len(rows):
            logits[image, place] = head._mask_forward(features, rows)['mask_preds']
        return found | dict(masks=self._of_classes(logits.flatten(0, 1), labels))

    def _of_classes(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return, of logits (N * D, classes, height, width), those of the labels (N, D) as
        (N, D, height, width)."""
        logits = logits.reshape(*labels.shape, -1, *self.mask_size)
        if self.network.roi_head.mask_head.class_agnostic:
            chosen = logits[:, :, 0]
        else:
            index = labels.clamp(min=0)[..., None, None, None]
            chosen = logits.gather(2, index.expand(-1, -1, 1, *self.mask_size))[:, :, 0]
        return torch.where((labels >= 0)[..., None, None], chosen, 0.0)

    def outputs(self) -> list[GraphOutput]:
        masks = GraphOutput('masks', ('batch', self.most, *self.mask_size))
        return [*super().outputs(), masks]

    def details(self) -> dict[str, Any]:
        """Return the settings that went into the graph, and those of what follows it."""
        threshold = self.network.roi_head.test_cfg.mask_thr_binary
        return super().details() | dict(
            mask_form='logits over the box; rexdense.deploy.pasting.paste_masks',
            mask_threshold=float(threshold),
        )
