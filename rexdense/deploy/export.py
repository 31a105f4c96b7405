"""Export of a graph to a file, which is kept only if its outputs equal the network's."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from rexdense.checkpoint.sidecar import file_digest, sidecar_path
from rexdense.deploy.comparison import check_outputs
from rexdense.deploy.formats import graph_format_named
from rexdense.deploy.graph import Converted, Graph
from rexdense.errors import InvalidArgument, RexdenseError, first_line
from rexdense.files.destinations import check_destination
from rexdense.files.writing import files_written_aside

# Changes to the example: another batch size, odd sizes, a size that is not a multiple of 32.
_CHECKED = ((1, 1, 33), (3, 32, -31))
_SMALLEST = 64


@dataclasses.dataclass(frozen=True)
class GraphReport:
    """Report of an export.

    Attributes:
        path: The file of the graph.
        description: The content of the JSON file beside it.
    """

    path: Path
    description: dict[str, Any]

    def __str__(self) -> str:
        errors = self.description['relative_errors']
        name = max(errors, key=errors.__getitem__)
        return '\n'.join(
            [
                f'{"graph":<14}{self.path}',
                f'{"description":<14}{sidecar_path(self.path)}',
                f'{"architecture":<14}{self.description.get("architecture") or "no named one"}',
                f'{"outputs":<14}{", ".join(errors)}',
                f'{"largest error":<14}{errors[name]:.1e} ({name}), against the network at '
                f'{" and ".join(self.description["compared_on"])}',
            ]
        )


def export_graph(
    graph: Graph,
    destination: str | Path,
    format: str = 'onnx',
    *,
    size: tuple[int, int] = (96, 128),
    opset: int | None = None,
    about: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
) -> GraphReport:
    """Write a graph to a file, compare it with the network, and describe it in a JSON file.

    The batch, height and width are dynamic. The file is run on two batches and sizes that the
    exporter has not seen. It is kept only if all outputs are within 1e-4 of the network's, relative
    to the largest value.

    Args:
        destination: The file, with the ending of the format: ``.onnx``, ``.pt2`` or ``.pt``. The
            JSON file adds ``.json`` to this name.
        format: 'onnx', 'torch_export' or 'torchscript'.
        size: Height and width of the traced example, at least 64; some graphs trace a larger one.
        opset: Version of ONNX's operator set; None takes torch's default.
        about: Further entries of the JSON file, such as the architecture and the preprocessing.
        overwrite: Replace existing files.
        inputs: Files that the network was made from, which are never replaced.

    Raises:
        InvalidArgument: the format, name or size does not fit, the place cannot be written, or the
            network cannot be traced.
        GraphMismatch: the outputs of the graph differ from the network's.

    Example:
        >>> import rexdense, tempfile
        >>> from rexdense.deploy import BackboneGraph, export_graph
        >>> graph = BackboneGraph(rexdense.create_backbone('regnetx_200mf', out_indices=(1,)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = export_graph(graph, f'{folder}/regnetx.pt', 'torchscript')
        >>> report.description['outputs']
        [{'name': 'c2', 'shape': ['batch', 24, 'height / 4', 'width / 4'], 'stride': 4}]
    """
    written = graph_format_named(format)
    path = Path(destination).expanduser()
    if graph.formats is not None and format not in graph.formats:
        raise InvalidArgument(
            f'{type(graph).__name__} has no form in {format}: it is written as '
            f'{", ".join(graph.formats)}'
        )
    if path.suffix != written.suffix:
        raise InvalidArgument(f'{path}: the name of a {format} file ends in {written.suffix}')
    if min(size) < _SMALLEST:
        raise InvalidArgument(
            f'size={size[0]},{size[1]}: height and width of the example are at least {_SMALLEST}'
        )
    beside = sidecar_path(path)
    for place in (path, beside):
        check_destination(place, overwrite, inputs)

    traced = [max(side, graph.traced_side) for side in size]
    converted = _converted(graph, format, graph.example(2, graph.in_channels, *traced), opset)
    compared = [
        graph.example(batch, graph.in_channels, size[0] + taller, size[1] + wider, seed=batch)
        for batch, taller, wider in _CHECKED
    ]
    with files_written_aside(path, beside, overwrite=overwrite) as (file, description_file):
        converted.write(file)
        file.flush()
        errors = check_outputs(graph, lambda: written.open(Path(file.name)), compared)
        description = dict(
            file=path.name,
            sha256=file_digest(file),
            format=format,
            **converted.facts,
            **_describe(graph, errors, compared),
            **(about or {}),
        )
        description_file.write(json.dumps(description, indent=2).encode() + b'\n')
    return GraphReport(path, description)


def _converted(graph: Graph, format: str, example: Tensor, opset: int | None) -> Converted:
    try:
        return graph_format_named(format).convert(graph, example, opset)
    except (RexdenseError, ImportError, MemoryError):
        raise
    # The network's code can raise any exception under the exporters' tracers.
    except Exception as error:
        raise InvalidArgument(
            f'the network cannot be written as {format}: {first_line(error)} '
            f'({type(error).__name__})'
        ) from error


def _describe(graph: Graph, errors: dict[str, float], compared: list[Tensor]) -> dict[str, Any]:
    return dict(
        input=dict(
            name=graph.input_name,
            type='float32',
            layout='NCHW',
            shape=['batch', graph.in_channels, 'height', 'width'],
        ),
        outputs=[output.described() for output in graph.outputs()],
        **graph.details(),
        relative_errors=errors,
        compared_on=['x'.join(map(str, images.shape)) for images in compared],
    )
