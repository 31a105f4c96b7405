"""Options about a model that several programs share, also those without mmengine."""

import argparse

from rexdense.checkpoint import SCHEMES
from rexdense.deploy.runtimes import RUNTIMES
from rexdense.device import device_sentence, find_device


def add_device_option(parser: argparse._ActionsContainer) -> None:
    """Add the option of the device."""
    parser.add_argument(
        '--device',
        metavar='auto|cpu|cuda|cuda:1|npu',
        default='auto',
        help='auto takes npu, then cuda, then cpu, as found',
    )


def chosen_device(options: argparse.Namespace) -> str:
    """Return the device of an option of :func:`add_device_option`; print it if it was chosen
    automatically."""
    device = find_device(options.device)
    if options.device == 'auto':
        print(device_sentence(device))
    return device


def add_optimize_option(parser: argparse._ActionsContainer) -> None:
    """Add the option to run the network as it was trained."""
    parser.add_argument(
        '--no-optimize',
        action='store_true',
        help='run the network as it was trained; by default its batch norms are folded into the '
        'convolutions, which gives the same result in less time',
    )


def add_runtime_option(parser: argparse._ActionsContainer) -> None:
    """Add the option of another runtime than torch."""
    parser.add_argument(
        '--runtime',
        choices=list(RUNTIMES),
        help='run the network in this runtime, on the CPU, from a graph that is exported on first '
        'use; default: torch',
    )


def add_trust_option(parser: argparse._ActionsContainer) -> None:
    """Add the option to build everything that a checkpoint's config names."""
    parser.add_argument(
        '--trust-config',
        action='store_true',
        help='build everything that the config in the checkpoint names, which can run any code. '
        'Default: only registered classes of models and transforms',
    )


def add_ema_option(parser: argparse._ActionsContainer) -> None:
    """Add the option to choose between the last weights and their average."""
    parser.add_argument(
        '--ema',
        action=argparse.BooleanOptionalAction,
        help='use the running average, or with --no-ema the last weights; default: the main '
        'weights of the file',
    )


def add_reading_options(parser: argparse._ActionsContainer) -> None:
    """Add the options on how the weights of any project are read."""
    parser.add_argument(
        '--source',
        choices=SCHEMES,
        help='the project of the names in the checkpoint, if not recognised',
    )
    parser.add_argument('--prefix', help='prefix of the names, if there are two networks')
    add_ema_option(parser)
    parser.add_argument(
        '--allow-non-finite', action='store_true', help='write NaN and infinite values'
    )
    parser.add_argument(
        '--trust-pickle',
        action='store_true',
        help='let the checkpoint run any code; off is safe',
    )
