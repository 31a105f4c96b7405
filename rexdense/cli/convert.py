"""``rexdense convert``: rename the weights of any known project to the names of another."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rexdense.checkpoint import SCHEMES, convert_checkpoint
from rexdense.cli.model_options import add_reading_options
from rexdense.cli.parser import Parser


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense convert', description='Convert the weights of any known project.'
    )
    result.add_argument('src', help='a checkpoint file, a work directory or a URL')
    result.add_argument('dst', type=Path, help='a .pth, .safetensors or .ckpt file to write')
    result.add_argument(
        '--format',
        choices=SCHEMES,
        default='rexdense',
        help='the project whose names are used in DST',
    )
    add_reading_options(result)
    result.add_argument('--overwrite', action='store_true', help='replace DST')
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the converted weights, and print what was written."""
    options = vars(parser().parse_args(arguments))
    names = options.pop('format')
    print(convert_checkpoint(options.pop('src'), options.pop('dst'), names=names, **options))
