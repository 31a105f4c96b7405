"""``rexdense browse``: draw the training data after each transform of the pipeline."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli.options import add_config_options, add_data_options
from rexdense.cli.parser import Parser, positive, random_seed
from rexdense.engine.browse.sheet import browse, draw_browsed
from rexdense.engine.config.data_root import use_data_root
from rexdense.engine.config.load import load_config, set_scale
from rexdense.engine.config.override import override
from rexdense.engine.config.pieces import add_pieces
from rexdense.files.destinations import check_destination
from rexdense.visualization.picture_files import check_picture_name, write_picture

SAMPLES = 4
SPLITS = ('train', 'val', 'test')


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense browse',
        description='Draw samples of the data of a config after each transform of its pipeline, '
        'and the batch that the network gets.',
    )
    result.add_argument('config', type=Path, help='a file, or a name of rexdense configs')
    result.add_argument('--split', choices=SPLITS, default='train', help='split of the data')
    result.add_argument(
        '-o',
        '--out',
        type=Path,
        metavar='FILE',
        help='the picture; default: browse_ + config name + split.png',
    )
    result.add_argument(
        '--samples',
        type=positive(int),
        default=SAMPLES,
        metavar='N',
        help='number of rows of the picture',
    )
    result.add_argument(
        '--seed',
        type=random_seed,
        default=0,
        metavar='N',
        help='seed of the choice of samples and of the random transforms',
    )
    result.add_argument('--overwrite', action='store_true', help='replace the picture')
    add_data_options(result)
    add_config_options(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture and print its path."""
    options = parser().parse_args(arguments)
    config = load_config(options.config)
    if options.pieces:
        add_pieces(config, options.pieces)
    if options.cfg_options:
        override(config, options.cfg_options)
    path = options.out or Path(f'browse_{Path(config.filename).stem}_{options.split}.png')
    check_picture_name(path)
    check_destination(path, options.overwrite)
    use_data_root(config, options, training=options.split == 'train')
    if options.scale:
        set_scale(config, options.scale)
    samples, metainfo = browse(config, options.split, options.samples, options.seed)
    for sample in samples:
        steps = ' > '.join(stage.name for stage in sample.stages)
        print(f'sample {sample.index}: {sample.name}: {steps}')
    print(write_picture(path, draw_browsed(samples, metainfo), options.overwrite))
