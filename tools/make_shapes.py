"""Draw the Shapes dataset: make_shapes.py ROOT [--train N] [--val N] [--size HxW] [--seed S]."""

import argparse
from collections.abc import Sequence

from rexdense.datasets import make_shapes
from rexdense.engine.command_line import Parser, run_command


def height_and_width(text: str) -> tuple[int, int]:
    height, _, width = text.partition('x')
    if not (height.isdecimal() and width.isdecimal()):
        raise argparse.ArgumentTypeError(f'{text!r}: give HEIGHTxWIDTH in pixels, such as 160x160')
    return int(height), int(width)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Parser(description='Draw the Shapes dataset into a folder, if it is not there yet.')
    parser.add_argument('root', help='the folder to write')
    parser.add_argument('--train', type=int, default=240, metavar='N', help='pictures to train on')
    parser.add_argument('--val', type=int, default=60, metavar='N', help='pictures to validate on')
    parser.add_argument(
        '--size', type=height_and_width, default='160x160', metavar='HxW', help='pixels'
    )
    parser.add_argument('--seed', type=int, default=0, metavar='S', help='for another set')
    options = parser.parse_args(arguments)
    root = make_shapes(**vars(options))
    print(f'Shapes: {options.train} train and {options.val} val pictures in {root}')


if __name__ == '__main__':
    run_command(main)
