"""``rexdense web``: try checkpoints on images in a browser."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli.model_options import add_device_option, add_optimize_option, add_trust_option
from rexdense.cli.parser import Parser, positive
from rexdense.device import device_sentence, reuse_freed_memory
from rexdense.files.writing import scratch_folder
from rexdense.web.checkpoints import load_checkpoints
from rexdense.web.server import listen, prepare_gradio, serve
from rexdense.web.uploads import MEGABYTE, Limits

HOST, PORT = '127.0.0.1', 7860


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense web',
        description='Try checkpoints on images in a browser: boxes, masks, label maps, depth, '
        'classes, and each output of a U-Net.',
    )
    result.add_argument(
        'checkpoints',
        type=Path,
        nargs='+',
        metavar='CHECKPOINT',
        help='.pth files of rexdense train, which include their configs',
    )
    result.add_argument(
        '--host',
        default=HOST,
        help='address to listen on; 0.0.0.0 lets everyone in who can reach this machine, without '
        'a password',
    )
    result.add_argument(
        '--port',
        type=positive(int, or_zero=True),
        default=PORT,
        metavar='N',
        help='port; 0: any free one',
    )
    for option, most, unit, what in (
        ('--max-size', Limits().bytes, 'MB', 'file that is taken, in megabytes'),
        ('--max-pixels', Limits().pixels, 'MILLIONS', 'image that is taken, in millions of pixels'),
    ):
        result.add_argument(
            option,
            type=positive(float),
            default=most / MEGABYTE,
            metavar=unit,
            help=f'largest {what}',
        )
    add_trust_option(result)
    add_optimize_option(result)
    add_device_option(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the page until Ctrl+C; uploads are deleted at the end."""
    options = parser().parse_args(arguments)
    if options.port > 65535:
        parser().error(f'argument --port: {options.port}: ports go up to 65535')
    limits = Limits(int(options.max_size * MEGABYTE), int(options.max_pixels * MEGABYTE))
    with listen(options.host, options.port) as listening, scratch_folder() as folder:
        prepare_gradio(folder)
        from rexdense.web.page import application  # imports gradio

        reuse_freed_memory()
        predictors = load_checkpoints(
            options.checkpoints, options.device, options.trust_config, not options.no_optimize
        )
        if options.device == 'auto':
            print(device_sentence(next(iter(predictors.values())).device))
        app = application(predictors, limits, folder)
        host, port = listening.getsockname()[:2]
        shown = f'[{host}]' if ':' in host else host
        print(f'http://{shown}:{port}  (Ctrl+C ends it)', flush=True)
        serve(app, listening)
