"""Size of two-stage detectors: parameters, and multiply-accumulates by part."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from rexdense.zoo.complexity import counting

AUTHORS_IMAGE, MMDET_IMAGE = '1200x800', '1280x800'
"""The size that the authors of ReXNet state, and the default of mmdet's counting tool
(tools/analysis_tools/get_flops.py)."""
IMAGES = {AUTHORS_IMAGE: (800, 1200), MMDET_IMAGE: (800, 1280)}
"""Height and width in pixels of the counted images."""
REGIONS, OBJECTS = 1000, 100
"""Regions and boxes per image that mmdet's configs keep: ``max_per_img`` of rpn and rcnn."""


class DetectorMeasurement(NamedTuple):
    """Size of the detectors with one backbone.

    Attributes:
        parameters: By method, 'faster' or 'mask'.
        macs: For one image, by its size (a key of :data:`IMAGES`) and then by part: 'backbone',
            'neck', 'proposals', 'boxes' and 'masks'.
    """

    parameters: dict[str, int]
    macs: dict[str, dict[str, int]]

    def macs_of(self, method: str, image: str) -> int:
        """Return the sum over the parts of a method."""
        parts = self.macs[image]
        return sum(count for part, count in parts.items() if method == 'mask' or part != 'masks')


def measure_detector(methods: Mapping[str, Callable[[], nn.Module]]) -> DetectorMeasurement:
    """Measure the detectors with one backbone, without computing anything.

    Args:
        methods: Functions that return mmdet's detector on the meta device, by method. The parts are
            counted on the last detector, which has all parts of the others.
    """
    networks = {method: build() for method, build in methods.items()}
    parameters = {
        method: sum(value.numel() for value in network.parameters())
        for method, network in networks.items()
    }
    *_, whole = networks.values()
    return DetectorMeasurement(
        parameters, {name: count_parts(whole, image) for name, image in IMAGES.items()}
    )


def count_parts(network: Any, image: tuple[int, int]) -> dict[str, int]:
    """Return the multiply-accumulates of each part of a detector for one image. The box head reads
    ``REGIONS``, the mask head ``OBJECTS``.

    Args:
        network: mmdet's Faster or Mask R-CNN, on the meta device.
        image: Height and width in pixels, without padding.
    """
    network.eval()
    macs = {}

    def run(name: str, part: nn.Module, inputs: Any) -> Any:
        with counting(part) as counted, torch.no_grad():
            outputs = part(inputs)
        macs[name] = counted['macs']
        return outputs

    images = torch.empty(1, 3, *image, device='meta')
    maps = run('neck', network.neck, run('backbone', network.backbone, images))
    run('proposals', network.rpn_head, maps)
    head = network.roi_head

    def pooled(extractor: Any, number: int) -> torch.Tensor:
        size = extractor.roi_layers[0].output_size
        return torch.empty(number, extractor.out_channels, *size, device='meta')

    run('boxes', head.bbox_head, pooled(head.bbox_roi_extractor, REGIONS))
    if head.with_mask:
        run('masks', head.mask_head, pooled(head.mask_roi_extractor, OBJECTS))
    return macs
