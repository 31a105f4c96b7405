"""Two-stage detectors of mmdet as graphs, without importing mmdet."""

from rexdense.deploy.detection.faster_rcnn import FasterRCNNGraph
from rexdense.deploy.detection.rpn import RPNGraph

__all__ = ['FasterRCNNGraph', 'RPNGraph']
