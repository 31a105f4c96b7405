"""The export of a network as a graph for another runtime."""

import time
from pathlib import Path
from typing import Any

from rexdense.deploy import BackboneGraph, SegmentorGraph, export_graph
from rexdense.deploy.formats import graph_format_named
from rexdense.deploy.graph import Graph
from rexdense.files import scratch_folder
from rexdense.models import create_backbone
from rexdense.models.unet import create_unet

__all__ = ['prepare']


class _Export:
    """A graph that is written and compared with the network, into a folder that goes again.

    Attributes:
        facts: ``size``, the bytes of the file.
    """

    def __init__(self, graph: Graph, format: str) -> None:
        self._graph, self._format = graph, format
        self.facts: dict[str, Any] = {}

    def run(self) -> float:
        start = time.perf_counter()
        with scratch_folder() as folder:
            path = Path(folder) / f'graph{graph_format_named(self._format).suffix}'
            export_graph(self._graph, path, self._format)
            elapsed = time.perf_counter() - start
            self.facts['size'] = path.stat().st_size
        return elapsed * 1e3


def prepare(task: dict[str, Any]) -> _Export:
    """Return the export of a task: ``name`` is a backbone's or a U-Net's, ``format`` one of
    :data:`rexdense.deploy.GRAPH_FORMATS`."""
    if task['name'].startswith('unet_'):
        graph = SegmentorGraph(create_unet(task['name'], 11).eval())
    else:
        graph = BackboneGraph(create_backbone(task['name']).eval())
    return _Export(graph, task['format'])
