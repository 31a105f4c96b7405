"""File formats of graphs, with their converters and runtimes."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from rexdense.deploy.graph import Converted, Graph
from rexdense.deploy.onnx_format import convert_to_onnx
from rexdense.deploy.runtimes import RUNTIMES, Run
from rexdense.deploy.torch_formats import (
    convert_to_torch_export,
    convert_to_torchscript,
    run_torch_export,
    run_torchscript,
)
from rexdense.errors import UnknownName, suggest


class GraphFormat(NamedTuple):
    """A file format.

    Attributes:
        convert: Converts a graph, given example images and an operator-set version or None.
        open: Opens a file as a function from images to outputs by name.
        suffix: The ending of the file names.
    """

    convert: Callable[[Graph, Tensor, int | None], Converted]
    open: Callable[[Path], Run]
    suffix: str


GRAPH_FORMATS = {
    'onnx': GraphFormat(convert_to_onnx, RUNTIMES['onnxruntime'], '.onnx'),
    'torch_export': GraphFormat(convert_to_torch_export, run_torch_export, '.pt2'),
    'torchscript': GraphFormat(convert_to_torchscript, run_torchscript, '.pt'),
}


def graph_format_named(name: str) -> GraphFormat:
    """Return the format called ``name``, or raise UnknownName."""
    if name not in GRAPH_FORMATS:
        raise UnknownName(f'no graph format is called {name!r}: {suggest(name, GRAPH_FORMATS)}')
    return GRAPH_FORMATS[name]
