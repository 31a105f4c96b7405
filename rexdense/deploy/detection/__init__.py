"""Graphs of mmdet's detectors, without importing mmdet."""

from torch import nn

from rexdense.deploy.detection.detector import DetectorGraph
from rexdense.deploy.detection.faster_rcnn import FasterRCNNGraph
from rexdense.deploy.detection.mask_rcnn import MaskRCNNGraph
from rexdense.deploy.detection.rpn import RPNGraph
from rexdense.deploy.detection.ssd import SSDGraph
from rexdense.errors import InvalidArgument

__all__ = [
    'DetectorGraph',
    'FasterRCNNGraph',
    'MaskRCNNGraph',
    'RPNGraph',
    'SSDGraph',
    'detector_graph',
]


def detector_graph(network: nn.Module) -> DetectorGraph:
    """Return the graph of an mmdet detector; raise InvalidArgument if its class, a part or a
    setting is not supported."""
    kind = type(network).__name__
    if kind in SSDGraph.kinds:
        return SSDGraph(network)
    if kind not in FasterRCNNGraph.kinds:
        known = (*FasterRCNNGraph.kinds, *SSDGraph.kinds)
        raise InvalidArgument(
            f"the detector is a {kind}; graphs are known for mmdet's {', '.join(known)}"
        )
    return MaskRCNNGraph(network) if network.with_mask else FasterRCNNGraph(network)
