"""``rexdense configs``: list the configs that come with rexdense."""

import argparse
import ast
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli.parser import Parser
from rexdense.shipped_configs import config_names


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense configs',
        description='List the configs that come with rexdense. train, test and demo accept these '
        'names from any folder; your own config inherits one with _base_ = '
        "'rexdense::rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco.py'.",
    )
    result.add_argument(
        'pattern', nargs='?', default='*', metavar='PATTERN', help="such as 'mask-rcnn*', 'depth/*'"
    )
    action = result.add_mutually_exclusive_group()
    action.add_argument('--names', action='store_true', help='only names, one per line')
    action.add_argument(
        '--paths', action='store_true', help='only paths of the files, one per line'
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the names of the configs with their subjects, or only their names or paths."""
    options = parser().parse_args(arguments)
    found = config_names(options.pattern)
    if options.names or options.paths:
        print(*(found.values() if options.paths else found), sep='\n')
    else:
        width = max(map(len, found))
        print(*(f'{name:<{width}}  {_subject(path)}' for name, path in found.items()), sep='\n')


def _subject(path: Path) -> str:
    """Return the first line of a config's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding='utf-8'))) or ''
    return text.partition('\n')[0].rstrip('.')
