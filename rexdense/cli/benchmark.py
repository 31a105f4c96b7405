"""The program that measures networks beside those of other packages."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rexdense.benchmark.commands import measure_imports
from rexdense.benchmark.measurement import Benchmark, measure_networks
from rexdense.benchmark.networks import PEERS
from rexdense.benchmark.report import losses, read_json, table_of, write_json
from rexdense.cli.options import add_device_option
from rexdense.cli.parser import Parser, positive
from rexdense.destinations import check_destination, prepare_output_dir
from rexdense.device import find_device

__all__ = ['main']

NETWORKS = {
    'backbone': ('the features of a backbone', '1x3x800x1216'),
    'train-step': ('forward and backward pass of a backbone', '8x3x224x224'),
    'segmentor': ('the logits of a U-Net', '1x3x360x480'),
}


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense benchmark',
        description='Measure in turns, each contestant in a process of its own; the status is 1 '
        'where the machine was too busy for a result.',
    )
    kinds = result.add_subparsers(dest='kind', title='kinds', metavar='KIND', required=True)
    for kind, (purpose, shape) in NETWORKS.items():
        part = kinds.add_parser(kind, help=purpose)
        part.add_argument('name', help='a name that rexdense zoo lists')
        part.add_argument(
            '--shape', type=_shape, default=shape, metavar='NxCxHxW', help='of the batch of images'
        )
        part.add_argument(
            '--threads', type=positive(int), default=2, metavar='N', help='of each process'
        )
        part.add_argument(
            '--dtype', choices=('float32', 'bfloat16'), default='float32', help='of the networks'
        )
        part.add_argument(
            '--compile', action='store_true', help='compiled networks compete as well'
        )
        part.add_argument(
            '--allocator',
            choices=('default', 'reuse', 'both'),
            default='both',
            help='whether processes keep freed memory, as the programs of rexdense do',
        )
        part.add_argument(
            '--graph', type=Path, metavar='FILE', help='an .onnx file of rexdense export backbone'
        )
        part.add_argument(
            '--peer-path',
            type=Path,
            metavar='DIR',
            help="folder in front of --peer-python's module path; a torchvision_shim.py in it is "
            'imported first, where torchvision does not fit torch',
        )
        add_device_option(part)
        _add_common(part, PEERS[kind])
    _add_common(
        kinds.add_parser('import', help='the start of Python, imports, and --help'),
        ('timm', 'torchvision', 'segmentation_models_pytorch'),
    )
    return result


def _add_common(part: argparse.ArgumentParser, peers: Sequence[str]) -> None:
    part.add_argument(
        '--against',
        nargs='+',
        default=[],
        choices=peers,
        metavar='PACKAGE',
        help=f'packages to measure beside rexdense: {", ".join(peers)}',
    )
    part.add_argument(
        '--peer-python', metavar='PYTHON', help='interpreter that has them; default: this one'
    )
    part.add_argument(
        '--rounds', type=positive(int), default=9, metavar='N', help='turns of each contestant'
    )
    part.add_argument('--json', type=Path, metavar='FILE', help='write all figures there, too')
    part.add_argument(
        '--kept',
        type=Path,
        metavar='FILE',
        help='figures of the same benchmark, of an earlier --json; the status is 1 where a ratio '
        'has dropped by more than 15 %%',
    )
    part.add_argument('--overwrite', action='store_true', help='replace --json')


def _shape(text: str) -> tuple[int, ...]:
    parts = text.replace(',', 'x').split('x')
    if len(parts) != 4 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f'{text!r} is no shape: give images, channels, height and width, such as 8x3x224x224'
        )
    return tuple(map(int, parts))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of a benchmark; return 1 where it is no result."""
    options = parser().parse_args(arguments)
    if options.json is not None:
        prepare_output_dir(options.json.parent, 'the folder of --json')
        check_destination(options.json, options.overwrite)
    kept = None if options.kept is None else read_json(options.kept)
    found = _measure(options)
    print(table_of(found['figures'], found['reference']))
    if 'ceilings' in found:
        rates = found['ceilings']
        print(
            f'{found["macs"] / 1e9:.2f} GMAC a pass; a matrix product reaches '
            f'{rates["multiplications"] / 1e9:.0f} GMAC/s, a copy {rates["copied"] / 1e9:.0f} GB/s'
        )
    for doubt in found['why_no_result']:
        print(f'No result: {doubt}. Repeat this on an idle machine.')
    if options.json is not None:
        print(write_json(options.json, found, options.overwrite))
    lost = [] if kept is None else losses(found, kept)
    for line in lost:
        print(f'Slower than kept: {line}')
    return 1 if found['why_no_result'] or lost else 0


def _measure(options: argparse.Namespace) -> dict:
    against = tuple(dict.fromkeys(options.against))
    if options.kind == 'import':
        return measure_imports(options.rounds, against, options.peer_python)
    both = ('default', 'reuse')
    return measure_networks(
        Benchmark(
            kind=options.kind,
            name=options.name,
            shape=options.shape,
            against=against,
            peer_python=options.peer_python,
            peer_path=options.peer_path,
            threads=options.threads,
            rounds=options.rounds,
            device=find_device(options.device),
            dtype=options.dtype,
            compiled=options.compile,
            allocators=both if options.allocator == 'both' else (options.allocator,),
            graph=options.graph,
        )
    )
