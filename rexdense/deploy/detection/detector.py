"""Base of the graphs of mmdet's detectors, from images to detections."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import pad_to_multiple, require_kind
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.detection.operators import onnx_translations
from rexdense.deploy.graph import Graph, GraphOutput


class DetectorGraph(Graph):
    """Graph of an mmdet detector, from images to detections.

    Its outputs are ``boxes`` (N, D, 4) as x1, y1, x2, y2 in pixels of the images, ``scores`` (N, D)
    and ``labels`` (N, D), best first. D is ``max_per_img`` of the config. If an image has fewer
    detections, the rest have score 0 and label -1. The graph itself pads images to the multiple
    that the network needs. Boxes are clipped to the unpadded images.

    Subclasses implement the detection from features: :meth:`found` for the graph, and
    :meth:`results` with mmdet's own code.

    Args:
        network: The detector; its ``test_cfg`` gives the thresholds and numbers.

    Raises:
        InvalidArgument: a part or setting is not supported.

    Attributes:
        most: The number D.
        score_threshold: The minimum score of detections.
        iou_threshold: The maximum overlap of two detections of one class.
    """

    formats = ('onnx',)
    kinds: tuple[str, ...]
    """The supported classes of mmdet."""
    most: int
    score_threshold: float
    iou_threshold: float

    def __init__(self, network: nn.Module) -> None:
        require_kind(network, self.kinds, 'whole')
        super().__init__(network)
        self.divisor = self.network.data_preprocessor.pad_size_divisor

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.found(self.features(images), *images.shape[2:])

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the neck's feature maps of images of any size."""
        return self.network.extract_feat(pad_to_multiple(images, self.divisor))

    def found(self, features: tuple[Tensor, ...], height: int, width: int) -> dict[str, Tensor]:
        """Return the boxes, scores and labels in the features of images of that size."""
        raise NotImplementedError

    def results(
        self, features: tuple[Tensor, ...], samples: Sequence[BaseDataElement]
    ) -> Sequence[Any]:
        """Return mmdet's own results per image, with ``bboxes``, ``scores`` and ``labels``."""
        raise NotImplementedError

    def reference(self, images: Tensor) -> dict[str, Tensor]:
        """Return the detections of mmdet's own code."""
        return self.reference_found(self.features(images), *images.shape[2:])

    def reference_found(
        self, features: tuple[Tensor, ...], height: int, width: int
    ) -> dict[str, Tensor]:
        """Return the detections of mmdet's own code, the expected result of :meth:`found`."""
        batch = len(features[0])
        info = dict(img_shape=(height, width))
        samples = [BaseDataElement(metainfo=info) for _ in range(batch)]
        boxes, scores = torch.zeros(batch, self.most, 4), torch.zeros(batch, self.most)
        labels = torch.full((batch, self.most), -1)
        for place, result in enumerate(self.results(features, samples)):
            count = len(result.scores)
            boxes[place, :count], scores[place, :count] = result.bboxes, result.scores
            labels[place, :count] = result.labels
        return dict(boxes=boxes, scores=scores, labels=labels)

    def errors(
        self, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
    ) -> dict[str, float]:
        return detection_errors(found, expected)

    def example(self, *shape: int, seed: int = 0) -> Tensor:
        """Return images of blobs of several sizes: in noise, a trained detector finds nothing."""
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
        return [
            GraphOutput('boxes', ('batch', self.most, 4)),
            GraphOutput('scores', ('batch', self.most)),
            GraphOutput('labels', ('batch', self.most)),
        ]

    def details(self) -> dict[str, Any]:
        """Return the settings in the graph."""
        return dict(
            box_form='x1, y1, x2, y2 in pixels of the input',
            score_threshold=self.score_threshold,
            iou_threshold=self.iou_threshold,
        )
