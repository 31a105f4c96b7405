"""The ``rexdense`` command, which passes the command line to one of the programs."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from rexdense import __version__
from rexdense.cli.parser import Parser, run_command
from rexdense.errors import UnknownName, suggest
from rexdense.stop_signal import stop_with_status

PROGRAMS = {
    'train': 'train a model of a config',
    'test': 'measure a checkpoint on the validation data',
    'report': 'write one page about training runs, for a browser',
    'predict': 'draw and write the predictions for images and videos',
    'export': 'write a part of a checkpoint for other projects or runtimes',
    'convert': 'rename the weights of any known project to the names of another',
    'prepare': 'check, show and clean a data set, convert other formats to COCO',
    'browse': 'draw the training data after each transform of the pipeline',
    'web': 'try checkpoints on images in a browser',
    'analyze': 'draw ranks and maps of features, and class activation maps',
    'doctor': 'examine the installation and name remedies for its faults',
    'configs': 'list the configs that come with rexdense',
    'benchmark': 'measure networks beside those of other packages',
    'zoo': 'list all networks with sizes and published accuracies',
    'shapes': 'draw the Shapes data set',
    'demo': 'train a small model on drawn shapes',
    'completion': 'print the completion script for bash or zsh',
    'depth-baseline': 'measure the mean depth as a prediction',
}
"""Purpose of each program. A program is the function ``main`` in the module of its name, and the
function ``parser`` returns its argument parser."""


def module_of(program: str) -> str:
    """Return the name of the module of a program."""
    return f'rexdense.cli.{program.replace("-", "_")}'


def main(arguments: Sequence[str] | None = None) -> int | None:
    """Run the program that the first argument names."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Only the module of the chosen program is imported: torch takes seconds.
    parser = Parser(
        prog='rexdense',
        description='Convolutional backbones, detectors and segmentors: one command for all.',
        epilog='rexdense PROGRAM --help shows the options of a program.',
    )
    parser.add_argument('--version', action='version', version=f'rexdense {__version__}')
    programs = parser.add_subparsers(title='programs', metavar='PROGRAM', required=True)
    for name, purpose in PROGRAMS.items():
        programs.add_parser(name, help=purpose, add_help=False)
    if not arguments or arguments[0] not in PROGRAMS:
        if arguments and not arguments[0].startswith('-'):
            raise UnknownName(f'no program {arguments[0]!r}: {suggest(arguments[0], PROGRAMS)}')
        parser.parse_args(arguments[:1])
    module = importlib.import_module(module_of(arguments[0]))
    return module.main(arguments[1:])


def run(program: str | None = None) -> NoReturn:
    """Run a program, or the one that the command line names, and exit with its status."""
    arguments = [*([program] if program else []), *sys.argv[1:]]
    # Silence OpenCV and FFmpeg about damaged images and videos: our messages name the file. They
    # read this once per process. A caller of main keeps its own setting.
    os.environ.setdefault('OPENCV_LOG_LEVEL', 'FATAL')
    os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', '-8')
    # Since 2.5, torch imports torch_npu by itself and fails entirely if that fails. Here the choice
    # of the device imports it, and reports its errors.
    os.environ.setdefault('TORCH_DEVICE_BACKEND_AUTOLOAD', '0')
    if arguments[:1] in (['train'], ['demo']):
        stop_with_status()
    named = arguments[:1] if arguments and arguments[0] in PROGRAMS else []
    run_command(main, arguments, ' '.join(['rexdense', *named]))
