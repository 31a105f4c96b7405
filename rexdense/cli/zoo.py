"""``rexdense zoo``: list and draw the zoo, and keep its numbers current."""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from rexdense import create_backbone, create_classifier, create_unet, list_backbones, list_unets
from rexdense.cli.parser import Parser, not_empty
from rexdense.dependencies import needed_packages
from rexdense.errors import UnknownName
from rexdense.models.unet import ReXUNet
from rexdense.text_table import text_table
from rexdense.zoo import (
    MEASURED,
    SORT_KEYS,
    UNET_CLASSES,
    as_text,
    parse_count,
    plot_accuracy,
    render_page,
    select,
    write_measured,
    zoo_entries,
)
from rexdense.zoo.coco_configs import BASELINES, DETECTORS, METHODS, write_coco_configs
from rexdense.zoo.model_index import METAFILE, write_model_index
from rexdense.zoo.weights import list_pretrained, load_published_weights

PAGE, CONFIGS = Path('docs/zoo.md'), Path('configs')


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense zoo',
        description='Print every network with its size and published accuracy; or draw or measure '
        'them, or render the tables of docs/zoo.md.',
    )
    result.add_argument('--family', help="a family, or a pattern such as 'regnet*'")
    result.add_argument('--max-params', metavar='N', help='at most so many parameters, such as 10M')
    result.add_argument('--max-macs', metavar='N', help='at most so many MACs, such as 1G')
    result.add_argument('--sort', choices=list(SORT_KEYS), help='smallest first; top1: best first')
    action = result.add_mutually_exclusive_group()
    action.add_argument(
        '--weights',
        nargs='?',
        const='*',
        type=not_empty,
        metavar='PATTERN',
        help="list the names of published weights for --pretrained, such as 'rexnet*'",
    )
    action.add_argument(
        '--plot', type=Path, metavar='PNG', help='draw published accuracy against cost'
    )
    action.add_argument(
        '--page',
        type=Path,
        nargs='?',
        const=PAGE,
        metavar='FILE',
        help=f'render the tables between the markers of a page; without FILE {PAGE}',
    )
    action.add_argument(
        '--measure',
        action='store_true',
        help='count every network again: rexdense/zoo/measured.json',
    )
    action.add_argument(
        '--configs',
        type=Path,
        nargs='?',
        const=CONFIGS,
        metavar='FOLDER',
        help=f'write the configs of detectors on COCO; without FOLDER into {CONFIGS}',
    )
    action.add_argument(
        '--index',
        type=Path,
        nargs='?',
        const=METAFILE,
        metavar='FILE',
        help=f'write the index of configs and published figures for mim; without FILE {METAFILE}',
    )
    result.add_argument(
        *('--overwrite', '--force'), action='store_true', help='let --plot replace a picture'
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the zoo, or write its pictures, tables or configs."""
    options = parser().parse_args(arguments)
    selection = {
        'family': options.family,
        'max_parameters': parse_count(options.max_params) if options.max_params else None,
        'max_macs': parse_count(options.max_macs) if options.max_macs else None,
        'sort': options.sort,
    }
    if options.weights:
        print(_weights_table(options.weights))
        return
    if not (options.plot or options.page or options.measure or options.configs or options.index):
        print(as_text(select(zoo_entries(), **selection)))
        return
    if any(selection.values()):
        parser().error('--family, --max-params, --max-macs and --sort are for the printed table')
    if options.plot:
        plot_accuracy(options.plot, options.overwrite)
    elif options.page:
        render_page(options.page)
    elif options.configs:
        write_coco_configs(options.configs)
    elif options.index:
        write_model_index(options.index)
    else:
        write_measured(
            list_backbones(),
            create_classifier,
            lambda name: create_backbone(name, out_indices=range(5)),
            {'rexunet': ReXUNet}
            | {
                name: partial(create_unet, name, UNET_CLASSES, output_strides='all')
                for name in list_unets()
            },
            {
                detector.name: {
                    method: partial(_built, CONFIGS / detector.config(method)) for method in METHODS
                }
                for detector in (*DETECTORS, *BASELINES)
            },
        )
    print(f'wrote {options.plot or options.page or options.configs or options.index or MEASURED}')


def _built(path: Path) -> nn.Module:
    """Return the detector of a config, on the meta device."""
    # Imported here, because all else in this program needs only torch.
    with needed_packages('counting detectors'):
        from mmengine.registry import DefaultScope

        from rexdense.engine.config.load import load_config
        from rexdense.engine.scope import import_scope
        from rexdense.registry import MODELS

    config = load_config(path)
    import_scope(config)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        # Not built on the meta device: some backbones compute with numbers while they are built.
        return MODELS.build(config.model).to('meta')


def _weights_table(pattern: str) -> str:
    """Return a table of the published weights that match; raise UnknownName if none do."""
    names = set(list_pretrained(pattern))
    if not names:
        raise UnknownName(f'no published weights fit {pattern!r}: rexdense zoo --weights lists all')
    rows = [row for row in load_published_weights() if row.name in names]
    table = [['name', 'top-1', 'input', 'licence']]
    for row in rows:
        size = f'{row.channel_order}, {row.size} px'
        table.append([row.name, row.top1 or '-', size, row.licence or '-'])
    return text_table(table)
