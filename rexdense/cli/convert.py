"""The program that brings weights of any known project into the names of another."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rexdense.checkpoint import SCHEMES, convert_checkpoint
from rexdense.cli.parser import Parser

__all__ = ['main']


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense convert', description='Read weights of any known project and write them.'
    )
    result.add_argument('src', help='a checkpoint file, a work directory or a URL')
    result.add_argument('dst', type=Path, help='a .pth, .safetensors or .ckpt file to write')
    result.add_argument(
        '--source', choices=SCHEMES, help='the project whose names SRC bears, if not recognised'
    )
    result.add_argument(
        '--format', choices=SCHEMES, default='rexdense', help='the project whose names DST gets'
    )
    result.add_argument('--prefix', help='what stands before the names, if SRC has two networks')
    result.add_argument(
        '--ema',
        action=argparse.BooleanOptionalAction,
        help='take the running average, or the last weights; otherwise those that SRC keeps as its '
        'own',
    )
    result.add_argument(
        '--allow-non-finite', action='store_true', help='write NaN and infinite values'
    )
    result.add_argument(
        '--trust-pickle', action='store_true', help='let SRC run any code it names; off is safe'
    )
    result.add_argument('--overwrite', action='store_true', help='replace DST')
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the converted weights, and print what was written."""
    options = vars(parser().parse_args(arguments))
    names = options.pop('format')
    print(convert_checkpoint(options.pop('src'), options.pop('dst'), names=names, **options))
