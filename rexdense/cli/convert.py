"""The program that brings weights of any known project into the names of another."""

from argparse import BooleanOptionalAction
from collections.abc import Sequence
from pathlib import Path

from rexdense.checkpoint import SCHEMES, convert_checkpoint
from rexdense.cli.parser import Parser

__all__ = ['main']


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the converted weights, and print what was written."""
    parser = Parser(
        prog='rexdense convert', description='Read weights of any known project and write them.'
    )
    parser.add_argument('src', help='a checkpoint file, a work directory or a URL')
    parser.add_argument('dst', type=Path, help='a .pth, .safetensors or .ckpt file to write')
    parser.add_argument(
        '--source', choices=SCHEMES, help='the project whose names SRC bears, if not recognised'
    )
    parser.add_argument(
        '--format', choices=SCHEMES, default='rexdense', help='the project whose names DST gets'
    )
    parser.add_argument('--prefix', help='what stands before the names, if SRC has two networks')
    parser.add_argument(
        '--ema',
        action=BooleanOptionalAction,
        help='take the running average, or the last weights; otherwise those that SRC keeps as its '
        'own',
    )
    parser.add_argument(
        '--allow-non-finite', action='store_true', help='write NaN and infinite values'
    )
    parser.add_argument(
        '--trust-pickle', action='store_true', help='let SRC run any code it names; off is safe'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace DST')
    options = vars(parser.parse_args(arguments))
    names = options.pop('format')
    print(convert_checkpoint(options.pop('src'), options.pop('dst'), names=names, **options))
