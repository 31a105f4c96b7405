"""``rexdense benchmark``: measure networks beside those of other packages."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from rexdense.arch import list_backbones
from rexdense.benchmark.commands import measure_imports
from rexdense.benchmark.comparisons import (
    measure_annotations,
    measure_evaluation,
    measure_export,
    measure_loaders,
)
from rexdense.benchmark.growth import (
    faster_than_work,
    growth_table,
    measure_growth,
    plot_growth,
    require_plots,
)
from rexdense.benchmark.measurement import Benchmark, measure_networks
from rexdense.benchmark.networks import PEERS
from rexdense.benchmark.processes import Peer
from rexdense.benchmark.report import Kept, losses, read_json, table_of, write_json
from rexdense.cli.model_options import add_device_option, chosen_device
from rexdense.cli.parser import Parser, positive
from rexdense.files.destinations import check_destination, prepare_output_dir
from rexdense.shipped_configs import find_config

STEP = '8x3x224x224'
NETWORKS = {
    'backbone': ('the features of a backbone', '1x3x800x1216'),
    'train-step': ('forward and backward pass of a backbone; of a config the whole step', STEP),
    'segmentor': ('the logits of a U-Net', '1x3x360x480'),
    'detector': ('a whole model of mmdet or mmseg, from its config', '1x3x800x1216'),
}

_NAMES = {
    'detector': 'a config',
    'train-step': 'a name that rexdense zoo lists, or the config of a detector or segmentor',
}


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense benchmark',
        description='Measure in turns, each contestant in its own process; the status is 1 if the '
        'machine was too busy for a result.',
    )
    kinds = result.add_subparsers(dest='kind', title='kinds', metavar='KIND', required=True)
    for kind, (purpose, shape) in NETWORKS.items():
        part = kinds.add_parser(kind, help=purpose)
        part.add_argument('name', help=_NAMES.get(kind, 'a name that rexdense zoo lists'))
        part.add_argument(
            '--shape',
            type=_shape,
            default=shape,
            metavar='NxCxHxW',
            help='shape of the batch of images',
        )
        part.add_argument(
            '--threads', type=_threads, default=2, metavar='N', help='of each process'
        )
        part.add_argument(
            '--dtype',
            choices=('float32', 'bfloat16'),
            default='float32',
            help='data type of the networks',
        )
        part.add_argument('--compile', action='store_true', help='also measure compiled networks')
        part.add_argument(
            '--allocator',
            choices=('default', 'reuse', 'both'),
            default='both',
            help='whether processes keep freed memory, like the programs of rexdense',
        )
        part.add_argument(
            '--graph', type=Path, metavar='FILE', help='an .onnx file of rexdense export backbone'
        )
        if kind == 'train-step':
            part.add_argument(
                '--objects',
                type=positive(int),
                metavar='N',
                help='objects drawn in each image for the step of a config (default: 20)',
            )
        add_device_option(part)
        of_configs = PEERS['model-step'] if kind == 'train-step' else ()
        peers = tuple(dict.fromkeys((*PEERS[kind], *of_configs)))
        _add_peers(part, peers, with_path=True)
        _add_common(part)
    _add_others(kinds)
    return result


def _add_others(kinds: argparse._SubParsersAction) -> None:
    """Add the kinds that time other work than the passes of a network."""
    part = kinds.add_parser('import', help='the start of Python, imports, and --help')
    _add_peers(part, ('timm', 'torchvision', 'segmentation_models_pytorch'))
    _add_common(part)
    part = kinds.add_parser('loader', help='the classification loader, one core')
    part.add_argument('images', type=Path, help='a folder of JPEG files')
    part.add_argument(
        '--count', type=positive(int), default=256, metavar='N', help='number of files to read'
    )
    _add_peers(part, ('timm',), with_path=True)
    _add_common(part)
    part = kinds.add_parser('eval', help="COCO's metrics computed by several packages")
    part.add_argument('annotations', type=Path, help='a COCO annotation file')
    part.add_argument(
        '--detections',
        type=Path,
        metavar='FILE',
        help="detections in COCO's results format; default: random",
    )
    part.add_argument(
        '--iou', choices=('bbox', 'segm'), default='bbox', help='compare boxes or masks'
    )
    _add_common(part)
    part = kinds.add_parser('export', help='time and size of the graphs of a network')
    part.add_argument('name', help='a backbone or U-Net from rexdense zoo')
    _add_common(part)
    part = kinds.add_parser('growth', help='time and memory against area, batch and network')
    part.add_argument('name', help='a backbone that rexdense zoo lists')
    part.add_argument('--threads', type=_threads, default=2, metavar='N', help='of each process')
    part.add_argument('--plot', type=Path, metavar='FILE', help='draw it as a .png, too')
    _add_common(part, rounds=5)
    part = kinds.add_parser('annotations', help='loading an annotation file of a given size')
    for name, default, purpose in (
        ('--images', 118_000, 'images of the file that is drawn'),
        ('--boxes', 860_000, 'boxes of it'),
    ):
        part.add_argument(name, type=positive(int), default=default, metavar='N', help=purpose)
    part.add_argument(
        '--corners',
        type=int,
        default=0,
        metavar='N',
        help='corners of a polygon around each; 0: boxes only',
    )
    _add_common(part, rounds=3)


def _add_peers(
    part: argparse.ArgumentParser, peers: Sequence[str], with_path: bool = False
) -> None:
    part.add_argument(
        '--against',
        nargs='+',
        default=[],
        choices=peers,
        metavar='PACKAGE',
        help=f'packages to measure beside rexdense: {", ".join(peers)}',
    )
    part.add_argument(
        '--peer-python',
        metavar='PYTHON',
        help='interpreter that has these packages; default: this one',
    )
    if with_path:
        part.add_argument(
            '--peer-path',
            type=Path,
            metavar='DIR',
            help="folder to put first in --peer-python's module path; a torchvision_shim.py in it "
            'is imported first, if torchvision does not fit torch',
        )


def _add_common(part: argparse.ArgumentParser, rounds: int = 9) -> None:
    part.add_argument(
        '--rounds', type=positive(int), default=rounds, metavar='N', help='turns of each contestant'
    )
    part.add_argument(
        '--json', type=Path, metavar='FILE', help='also write all figures to this file'
    )
    part.add_argument(
        '--kept',
        type=Path,
        metavar='FILE',
        help='figures of the same benchmark from an earlier --json; the status is 1 if a ratio '
        'has dropped by more than 15 %%',
    )
    part.add_argument('--overwrite', action='store_true', help='replace existing files')


def _threads(text: str) -> int:
    count = positive(int)(text)
    here = os.cpu_count() or 1
    if count > max(here, 2):  # the default, on a machine with one, too
        raise argparse.ArgumentTypeError(f'{text!r}: give as many as there are processors, {here}')
    return count


def _shape(text: str) -> tuple[int, ...]:
    parts = text.replace(',', 'x').split('x')
    if len(parts) != 4 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f'{text!r} is no shape: give images, channels, height and width, such as 8x3x224x224'
        )
    return tuple(map(int, parts))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of a benchmark; return 1 if the result is not valid."""
    options = parser().parse_args(arguments)
    for name in ('json', 'plot'):
        file = getattr(options, name, None)
        if file is not None:
            prepare_output_dir(file.parent, f'the folder of --{name}')
            check_destination(file, options.overwrite)
    if getattr(options, 'plot', None) is not None:
        require_plots()
    kept = None if options.kept is None else read_json(options.kept)
    if hasattr(options, 'device'):
        options.device = chosen_device(options)
    found = _measure(options, kept)
    grown = options.kind == 'growth'
    figures = found['figures']
    print(growth_table(figures) if grown else table_of(figures, found['reference']))
    for line in faster_than_work(figures) if grown else ():
        print(f'Grows faster than its work: {line}')
    if found.get('macs'):
        rates = found['ceilings']
        products = ' and '.join(
            f'{rate / 1e9:.0f} GMAC/s in {dtype}'
            for dtype, rate in rates['multiplications'].items()
        )
        print(
            f'{found["macs"] / 1e9:.2f} GMAC a pass; a matrix product reaches {products}, '
            f'a copy {rates["copied"] / 1e9:.0f} GB/s'
        )
    for doubt in found['why_no_result']:
        print(f'No result: {doubt}')
    if grown and options.plot is not None:
        print(plot_growth(figures, options.plot, options.overwrite))
    if options.json is not None:
        print(write_json(options.json, found, options.overwrite))
    lost = [] if kept is None else losses(found, kept)
    for line in lost:
        print(f'Slower than kept: {line}')
    return 1 if found['why_no_result'] or lost else 0


def _is_config(name: str) -> bool:
    """Return whether a name is that of a config and not of a network. Raise UnknownName if it is
    neither."""
    # Names of networks have no hyphen; names of shipped configs do.
    if '-' not in name and not name.endswith('.py'):
        return False
    find_config(name, list_backbones())
    return True


def _measure(options: argparse.Namespace, kept: Kept) -> dict:
    rounds = options.rounds
    if options.kind == 'eval':
        return measure_evaluation(
            options.annotations, options.detections, options.iou, rounds, kept
        )
    if options.kind == 'export':
        return measure_export(options.name, rounds, kept)
    if options.kind == 'growth':
        return measure_growth(options.name, options.threads, rounds, kept)
    if options.kind == 'annotations':
        return measure_annotations(options.images, options.boxes, options.corners, rounds, kept)
    against = tuple(dict.fromkeys(options.against))
    if options.kind == 'import':
        return measure_imports(rounds, against, options.peer_python, kept)
    if options.kind == 'loader':
        peer = Peer(options.peer_python, options.peer_path)
        return measure_loaders(options.images, options.count, rounds, against, peer, kept)
    both = ('default', 'reuse')
    whole = options.kind == 'train-step' and _is_config(options.name)
    return measure_networks(
        Benchmark(
            kind='model-step' if whole else options.kind,
            name=options.name,
            shape=options.shape,
            against=against,
            peer_python=options.peer_python,
            peer_path=options.peer_path,
            threads=options.threads,
            rounds=rounds,
            device=options.device,
            dtype=options.dtype,
            compiled=options.compile,
            allocators=both if options.allocator == 'both' else (options.allocator,),
            graph=options.graph,
            objects=getattr(options, 'objects', None),
        ),
        kept,
    )
