"""``rexdense shapes``: draw the Shapes data set."""

import argparse
from collections.abc import Sequence

from rexdense.cli.parser import Parser, parse_size
from rexdense.datasets import make_shapes


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense shapes',
        description='Draw the Shapes data set into a folder, unless it exists already.',
    )
    result.add_argument('root', help='the folder to write')
    result.add_argument('--train', type=int, default=480, metavar='N', help='pictures to train on')
    result.add_argument('--val', type=int, default=60, metavar='N', help='pictures to validate on')
    result.add_argument('--size', type=parse_size, default='160,160', metavar='W,H', help='pixels')
    result.add_argument(
        '--seed', type=int, default=0, metavar='S', help='seed; another one gives another data set'
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the requested data set."""
    options = parser().parse_args(arguments)
    width, height = options.size
    root = make_shapes(
        root=options.root,
        train=options.train,
        val=options.val,
        size=(height, width),
        seed=options.seed,
    )
    print(f'Shapes: {options.train} train and {options.val} val pictures in {root}')
