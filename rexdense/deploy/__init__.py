"""Fast inference in torch, and graphs for other runtimes: ONNX, torch.export, TorchScript."""

from rexdense.deploy.export import GraphReport, export_graph
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.deploy.graph import (
    BackboneGraph,
    ClassifierGraph,
    Graph,
    GraphOutput,
    SegmentorGraph,
)
from rexdense.deploy.optimization import optimize

__all__ = [
    'GRAPH_FORMATS',
    'BackboneGraph',
    'ClassifierGraph',
    'Graph',
    'GraphOutput',
    'GraphReport',
    'SegmentorGraph',
    'export_graph',
    'optimize',
]
