"""``rexdense export``: write a part of a checkpoint for other projects and other runtimes."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rexdense.checkpoint import BACKBONE_FORMATS, export_backbone
from rexdense.checkpoint.fetching import source_files
from rexdense.cli.model_options import add_ema_option, add_reading_options, add_trust_option
from rexdense.cli.parser import Parser, parse_size
from rexdense.deploy import GRAPH_FORMATS, export_graph
from rexdense.device import reuse_freed_memory
from rexdense.engine.trained import exported_parts
from rexdense.errors import InvalidArgument
from rexdense.files.destinations import check_destination

EXAMPLE = '128,96'
"""Width and height in pixels of the traced image."""


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser: one subparser per part, with its options."""
    result = Parser(
        prog='rexdense export',
        description='Write a part of a checkpoint: weights with the names of another project, or a '
        'graph for another runtime. A graph is compared with the network before it is kept.',
    )
    parts = result.add_subparsers(dest='part', title='parts', metavar='PART', required=True)
    for name, kind in PARTS.items():
        part = parts.add_parser(name, help=kind.help)
        _add_places(part, kind.formats)
        for add_option in kind.options:
            add_option(part)
        part.set_defaults(write=_write_graph if kind.make else _write_weights, make=kind.make)
    return result


def _add_places(part: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    part.add_argument(
        'checkpoint', help='weights of any known project, or a .pth file of rexdense train'
    )
    part.add_argument('--format', required=True, choices=list(formats), help='format of the file')
    part.add_argument('--out', type=Path, required=True, help='file to write')
    part.add_argument('--overwrite', action='store_true', help='replace --out')
    if 'onnx' in formats:
        part.add_argument(
            '--size',
            type=parse_size,
            default=EXAMPLE,
            metavar='W,H',
            help='width and height of the traced example; the graph accepts any size',
        )
        part.add_argument('--opset', type=int, help="version of ONNX's operator set")


def _add_network(part: argparse.ArgumentParser) -> None:
    part.add_argument('--arch', help='the network, if it is not recognised by its weights')


def _add_levels(part: argparse.ArgumentParser) -> None:
    part.add_argument('--out-indices', type=parse_levels, metavar='1,2,3,4', help='levels: 0 is c1')


def parse_levels(text: str) -> tuple[int, ...]:
    """Parse '1,2,3,4' into indices of levels."""
    try:
        return tuple(int(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r}: give indices of levels, such as 1,2,3,4 for c2 to c5'
        ) from None


class _Part(NamedTuple):
    """A part of a checkpoint that can be exported.

    Attributes:
        make: Builds the part for a graph; None if weights are written.
        options: Functions that add the options of the part besides file and format.
    """

    help: str
    formats: Sequence[str]
    options: Sequence[Callable[[argparse.ArgumentParser], None]]
    make: Callable[[exported_parts.Source], exported_parts.ExportedPart] | None


PARTS = {
    'weights': _Part(
        'weights of the backbone, for another project',
        BACKBONE_FORMATS,
        (add_reading_options,),
        None,
    ),
    'backbone': _Part(
        'graph of the backbone, an output a level',
        GRAPH_FORMATS,
        (_add_network, _add_levels, add_reading_options, add_trust_option),
        exported_parts.backbone_part,
    ),
    'classifier': _Part(
        'graph from images to logits',
        GRAPH_FORMATS,
        (_add_network, add_reading_options),
        exported_parts.classifier_part,
    ),
    'segmentor': _Part(
        'graph of a segmentor, an output a scale',
        GRAPH_FORMATS,
        (add_reading_options, add_trust_option),
        exported_parts.segmentor_part,
    ),
    'detector': _Part(
        'graph of a whole Faster R-CNN, Mask R-CNN, Cascade R-CNN or SSDLite',
        ('onnx',),
        (add_ema_option, add_trust_option),
        exported_parts.detector_part,
    ),
    'rpn': _Part(
        'graph of the region proposals of a detector',
        GRAPH_FORMATS,
        (add_ema_option, add_trust_option),
        exported_parts.rpn_part,
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the requested parts, and print their files."""
    options = parser().parse_args(arguments)
    if getattr(options, 'opset', None) is not None and options.format != 'onnx':
        raise InvalidArgument(f'--opset goes with --format onnx, not with {options.format}')
    check_destination(options.out.expanduser(), options.overwrite, source_files(options.checkpoint))
    reuse_freed_memory()
    print(options.write(options))


def _write_weights(options: argparse.Namespace) -> object:
    names = ('source', 'prefix', 'ema', 'allow_non_finite', 'trust_pickle', 'overwrite')
    return export_backbone(
        options.checkpoint,
        options.out,
        names=options.format,
        **{name: getattr(options, name) for name in names},
    )


def _write_graph(options: argparse.Namespace) -> object:
    names = exported_parts.Source.__dataclass_fields__
    given = {name: value for name, value in vars(options).items() if name in names}
    part = options.make(exported_parts.Source(**given))
    width, height = options.size
    return export_graph(
        part.graph,
        options.out,
        options.format,
        size=(height, width),
        opset=options.opset,
        about=part.about,
        overwrite=options.overwrite,
        inputs=source_files(options.checkpoint),
    )
