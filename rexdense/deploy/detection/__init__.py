"""Two-stage detectors of mmdet as graphs, without importing mmdet."""

from rexdense.deploy.detection.faster_rcnn import FasterRCNNGraph
from rexdense.deploy.detection.mask_rcnn import MaskRCNNGraph, detector_graph
from rexdense.deploy.detection.rpn import RPNGraph

__all__ = ['FasterRCNNGraph', 'MaskRCNNGraph', 'RPNGraph', 'detector_graph']
