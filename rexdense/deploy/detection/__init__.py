"""Detectors of mmdet as graphs, without importing mmdet."""

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

_GRAPHS = {graph.kind: graph for graph in (FasterRCNNGraph, MaskRCNNGraph, SSDGraph)}


def detector_graph(network: nn.Module) -> DetectorGraph:
    """Return the graph of a detector of mmdet.

    Raises:
        InvalidArgument: none is known for its class, or it has a part or setting without one.
    """
    kind = type(network).__name__
    if kind not in _GRAPHS:
        raise InvalidArgument(
            f"the detector is a {kind}; graphs are known for mmdet's {', '.join(_GRAPHS)}"
        )
    return _GRAPHS[kind](network)
