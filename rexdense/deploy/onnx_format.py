"""Conversion of graphs to ONNX, with only standard operators."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rexdense.dependencies import needed_packages
from rexdense.deploy.graph import Converted, Graph
from rexdense.deploy.quietly import quietly
from rexdense.deploy.torch_formats import dynamic_axes
from rexdense.errors import GraphMismatch, InvalidArgument

if TYPE_CHECKING:
    import onnx

OPSETS = range(18, 24)
"""Operator-set versions. torch's exporter writes none below, onnxruntime 1.23 runs none above."""
_STANDARD = ('', 'ai.onnx')


def convert_to_onnx(graph: Graph, example: Tensor, opset: int | None = None) -> Converted:
    """Return the graph as ONNX with its weights.

    torch has two exporters. This one uses torch.export: it gives formulas for the output sizes,
    folds batch norms into convolutions, accepts translations of the detectors' operators, and is
    under development. The older one uses TorchScript. It is about five times faster, but silently
    fixes the decisions of Python code during the trace.

    Raises:
        InvalidArgument: the operator-set version is not supported.
        GraphMismatch: the graph has operators that are not ONNX's own.
    """
    with needed_packages('an ONNX graph'):  # before torch raises its own error
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401

    if opset is not None and opset not in OPSETS:
        raise InvalidArgument(
            f'opset {opset}: versions {OPSETS[0]} to {OPSETS[-1]} of the operator set are written'
        )
    with torch.no_grad(), quietly():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[graph.input_name],
            output_names=list(graph(example)),
            dynamic_shapes=dynamic_axes(graph, str),
            opset_version=opset,
            custom_translation_table=graph.onnx_translations(),
        )
        model = program.model_proto
    _strip(model)
    check_standard_operators(model)
    (standard,) = (entry.version for entry in model.opset_import if entry.domain in _STANDARD)
    return Converted(lambda file: file.write(model.SerializeToString()), dict(opset=standard))


def _strip(model: 'onnx.ModelProto') -> None:
    """Remove notes on the source lines of the nodes."""
    model.graph.ClearField('value_info')
    for part in (model.graph, *model.functions):
        part.ClearField('metadata_props')
        part.ClearField('doc_string')
    for node in _nodes(model):
        node.ClearField('metadata_props')
        node.ClearField('doc_string')
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.ClearField('metadata_props')


def _nodes(model: 'onnx.ModelProto') -> Iterator['onnx.NodeProto']:
    """Yield all nodes, including those in branches and functions."""
    waiting = [*model.graph.node, *(node for part in model.functions for node in part.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                waiting += inner.node


def check_standard_operators(model: 'onnx.ModelProto') -> None:
    """Raise GraphMismatch unless all operators are ONNX's own; the message names the others."""
    foreign = Counter(
        f'{node.domain}::{node.op_type}' for node in _nodes(model) if node.domain not in _STANDARD
    )
    if foreign:
        raise GraphMismatch(
            f'the graph has operators that ONNX does not define ({", ".join(foreign)}), so that '
            'other runtimes could not run it: it was not written'
        )
