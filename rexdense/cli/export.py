"""The program that writes parts of a checkpoint for other projects and other runtimes."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rexdense.checkpoint import BACKBONE_FORMATS, SCHEMES, export_backbone
from rexdense.checkpoint.fetching import source_files
from rexdense.cli.parser import Parser, parse_size
from rexdense.deploy import GRAPH_FORMATS, export_graph
from rexdense.destinations import check_destination
from rexdense.device import reuse_freed_memory
from rexdense.engine import exported_parts
from rexdense.errors import InvalidArgument

__all__ = ['main']

PARTS = {
    'backbone': (exported_parts.backbone_part, (*BACKBONE_FORMATS, *GRAPH_FORMATS)),
    'classifier': (exported_parts.classifier_part, tuple(GRAPH_FORMATS)),
    'segmentor': (exported_parts.segmentor_part, tuple(GRAPH_FORMATS)),
    'detector': (exported_parts.detector_part, ('onnx',)),
    'rpn': (exported_parts.rpn_part, tuple(GRAPH_FORMATS)),
}
TRAINED = ('segmentor', 'detector', 'rpn')
EXAMPLE = (128, 96)


class _Fit(NamedTuple):
    """Which parts and formats an option belongs to."""

    parts: tuple[str, ...]
    formats: tuple[str, ...] = (*BACKBONE_FORMATS, *GRAPH_FORMATS)


_BARE = ('backbone', 'classifier')
OPTIONS = {
    'arch': _Fit(_BARE, tuple(GRAPH_FORMATS)),
    'out_indices': _Fit(('backbone',), tuple(GRAPH_FORMATS)),
    'size': _Fit(tuple(PARTS), tuple(GRAPH_FORMATS)),
    'opset': _Fit(tuple(PARTS), ('onnx',)),
    'source': _Fit((*_BARE, 'segmentor')),
    'prefix': _Fit((*_BARE, 'segmentor')),
    'ema': _Fit(tuple(PARTS)),
    'allow_non_finite': _Fit((*_BARE, 'segmentor')),
    'trust_pickle': _Fit((*_BARE, 'segmentor')),
    'trust_config': _Fit(('backbone', *TRAINED), tuple(GRAPH_FORMATS)),
}


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='tools/export.py',
        description='Write a part of a checkpoint for other projects (weights in their names) or '
        'other runtimes (a graph, which is compared with the network before it is kept).',
    )
    result.add_argument('part', choices=PARTS, help='what is written')
    result.add_argument(
        'checkpoint', help='weights of any known project, or a .pth file of tools/train.py'
    )
    result.add_argument(
        '--format',
        required=True,
        choices=(*BACKBONE_FORMATS, *GRAPH_FORMATS),
        help='a project, whose names the weights get, or a kind of graph',
    )
    result.add_argument('--out', type=Path, required=True, help='file to write')
    result.add_argument('--overwrite', action='store_true', help='replace --out')
    graph = result.add_argument_group('graphs')
    graph.add_argument('--arch', help='the network, if its weights do not tell')
    graph.add_argument(
        '--out-indices', type=parse_levels, metavar='1,2,3,4', help='levels of a backbone: 0 is c1'
    )
    graph.add_argument(
        '--size',
        type=parse_size,
        metavar='W,H',
        help='width and height of the example that is traced; the graph takes any',
    )
    graph.add_argument('--opset', type=int, help="version of ONNX's operator set")
    reading = result.add_argument_group('reading')
    reading.add_argument(
        '--source', choices=SCHEMES, help='the project whose names the checkpoint bears'
    )
    reading.add_argument('--prefix', help='what stands before the names, if there are two networks')
    reading.add_argument(
        '--ema',
        action=argparse.BooleanOptionalAction,
        help='take the running average, or the last weights; otherwise those that the file keeps '
        'as its own',
    )
    reading.add_argument(
        '--allow-non-finite', action='store_true', help='write NaN and infinite values'
    )
    reading.add_argument(
        '--trust-pickle',
        action='store_true',
        help='let the checkpoint run any code it names; off is safe',
    )
    reading.add_argument(
        '--trust-config',
        action='store_true',
        help='build whatever the config in the checkpoint names, which can run any code; off, '
        'only registered classes of models and transforms',
    )
    return result


def parse_levels(text: str) -> tuple[int, ...]:
    """Parse '1,2,3,4' into indices of levels."""
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r}: give indices of levels, such as 1,2,3,4 for c2 to c5'
        ) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what is asked for, and print what was written."""
    options = parser().parse_args(arguments)
    _check_combination(options)
    inputs = source_files(options.checkpoint)
    check_destination(options.out.expanduser(), options.overwrite, inputs)
    reuse_freed_memory()
    if options.format in BACKBONE_FORMATS:
        names = ('source', 'prefix', 'ema', 'allow_non_finite', 'trust_pickle', 'overwrite')
        print(
            export_backbone(
                options.checkpoint,
                options.out,
                names=options.format,
                **{name: getattr(options, name) for name in names},
            )
        )
        return
    make, _ = PARTS[options.part]
    part = make(_source(options))
    width, height = options.size or EXAMPLE
    print(
        export_graph(
            part.graph,
            options.out,
            options.format,
            size=(height, width),
            opset=options.opset,
            about=part.about,
            overwrite=options.overwrite,
            inputs=inputs,
        )
    )


def _source(options: argparse.Namespace) -> exported_parts.Source:
    names = exported_parts.Source.__dataclass_fields__
    return exported_parts.Source(**{name: getattr(options, name) for name in names})


def _check_combination(options: argparse.Namespace) -> None:
    """Check that the part has the format, and that each option has a meaning for both.

    Raises:
        InvalidArgument: it is not so; what is allowed is named.
    """
    _, formats = PARTS[options.part]
    if options.format not in formats:
        having = [part for part, (_, allowed) in PARTS.items() if options.format in allowed]
        raise InvalidArgument(
            f'{options.part} --format {options.format}: a {options.part} is written as '
            f'{", ".join(formats)}; {options.format} is for {", ".join(having)}'
        )
    for name, fit in OPTIONS.items():
        value = getattr(options, name)
        if value is None or (value is False and name != 'ema'):
            continue
        option = f'--{name.replace("_", "-")}'
        if options.part not in fit.parts:
            raise InvalidArgument(
                f'{option} has no meaning for {options.part}, only for {", ".join(fit.parts)}'
            )
        if options.format not in fit.formats:
            raise InvalidArgument(
                f'{option} has no meaning for --format {options.format}, only for '
                f'{", ".join(fit.formats)}'
            )
