"""Export of a network as a graph for another runtime."""

from pathlib import Path
from typing import Any

from rexdense.benchmark.workloads import Workload
from rexdense.deploy import BackboneGraph, SegmentorGraph, export_graph
from rexdense.deploy.formats import graph_format_named
from rexdense.files.writing import scratch_folder
from rexdense.models import create_backbone
from rexdense.models.unet import create_unet


def prepare(task: dict[str, Any]) -> Workload:
    """Return the export of a task into a temporary folder: ``name`` is the name of a backbone or
    U-Net, ``format`` is one of :data:`rexdense.deploy.GRAPH_FORMATS`."""
    if task['name'].startswith('unet_'):
        graph = SegmentorGraph(create_unet(task['name'], 11).eval())
    else:
        graph = BackboneGraph(create_backbone(task['name']).eval())

    def write() -> int:
        with scratch_folder() as folder:
            path = Path(folder) / f'graph{graph_format_named(task["format"]).suffix}'
            export_graph(graph, path, task['format'])
            return path.stat().st_size

    return Workload(write, lambda size: dict(size=size))
