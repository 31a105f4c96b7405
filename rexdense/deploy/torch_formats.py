"""Conversion of graphs to torch's own formats: torch.export and TorchScript."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from rexdense.deploy.graph import Converted, Graph
from rexdense.deploy.quietly import quietly


def dynamic_axes(graph: Graph, axis: Callable[[str], object]) -> dict[str, dict[int, object]]:
    """Return the dynamic axes of the input, in torch.export's form.

    Args:
        axis: Function from the name of an axis to its representation.
    """
    return {graph.input_name: {0: axis('batch'), 2: axis('height'), 3: axis('width')}}


def convert_to_torch_export(graph: Graph, example: Tensor, opset: int | None = None) -> Converted:
    """Return the graph as a program of torch.export (.pt2)."""
    # Unlike AUTO, DYNAMIC refuses an axis that turns out to be fixed. A named Dim would need the
    # smallest size, which depends on the network.
    axes = dynamic_axes(graph, lambda name: torch.export.Dim.DYNAMIC)
    with torch.no_grad(), quietly():
        program = torch.export.export(graph, (example,), dynamic_shapes=axes)
    for node in program.graph.nodes:
        # It contains paths of this machine.
        node.meta.pop('stack_trace', None)

    def write(file: BinaryIO) -> None:
        with quietly():
            torch.export.save(program, file)

    return Converted(write, dict(torch=torch.__version__))


def run_torch_export(path: Path) -> Callable[[Tensor], Mapping[str, Tensor]]:
    """Open a program in a file as a function."""
    with quietly():
        return torch.export.load(str(path)).module()


def convert_to_torchscript(graph: Graph, example: Tensor, opset: int | None = None) -> Converted:
    """Return the traced graph as TorchScript (.pt)."""
    with torch.no_grad(), quietly():
        # Not strict, to allow a dictionary as output. The written file is checked later.
        traced = torch.jit.trace(graph, example, strict=False, check_trace=False)

    def write(file: BinaryIO) -> None:
        with quietly():
            torch.jit.save(traced, file)

    return Converted(write, dict(torch=torch.__version__))


def run_torchscript(path: Path) -> Callable[[Tensor], Mapping[str, Tensor]]:
    """Open a traced graph in a file as a function."""
    with quietly():
        traced = torch.jit.load(str(path), map_location='cpu')

    def run(images: Tensor) -> Mapping[str, Tensor]:
        with torch.no_grad():
            return traced(images)

    return run
