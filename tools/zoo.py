"""Print the zoo: python tools/zoo.py [--family NAME] [--max-params 10M] [--sort macs] ..."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rexdense.cli.parser import Parser, run_command

README = Path(__file__).resolve().parents[1] / 'README.md'


def main(arguments: Sequence[str] | None = None) -> None:
    # Here, where run_command tells of a package that is not installed.
    from rexdense import create_backbone, create_classifier, list_backbones
    from rexdense.arch.unet import STANDARD_UNETS
    from rexdense.models.unet import ReXUNet, create_unet
    from rexdense.zoo import (
        MEASURED,
        SORT_KEYS,
        UNET_CLASSES,
        as_text,
        parse_count,
        plot_accuracy,
        render_readme,
        select,
        write_measured,
        zoo_entries,
    )

    parser = Parser(
        description='Print every network with its size and its published accuracy; or draw them, '
        'measure them again, or render the table of README.md.'
    )
    parser.add_argument('--family', help="a family, or a pattern such as 'regnet*'")
    parser.add_argument('--max-params', metavar='N', help='at most so many parameters, such as 10M')
    parser.add_argument('--max-macs', metavar='N', help='at most so many MACs, such as 1G')
    parser.add_argument('--sort', choices=list(SORT_KEYS), help='smallest first; top1: best first')
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        '--plot', type=Path, metavar='PNG', help='draw published accuracy against cost'
    )
    action.add_argument(
        '--readme',
        type=Path,
        nargs='?',
        const=README,
        metavar='FILE',
        help='render the zoo between the markers of a README (that of the project)',
    )
    action.add_argument(
        '--measure',
        action='store_true',
        help='count every network again: rexdense/zoo/measured.json',
    )
    parser.add_argument('--force', action='store_true', help='--plot may replace a picture')
    options = parser.parse_args(arguments)
    selection = {
        'family': options.family,
        'max_parameters': parse_count(options.max_params) if options.max_params else None,
        'max_macs': parse_count(options.max_macs) if options.max_macs else None,
        'sort': options.sort,
    }
    if not (options.plot or options.readme or options.measure):
        print(as_text(select(zoo_entries(), **selection)))
        return
    if any(selection.values()):
        parser.error('--family, --max-params, --max-macs and --sort are for the printed table')
    if options.plot:
        plot_accuracy(options.plot, options.force)
    elif options.readme:
        render_readme(options.readme)
    else:
        write_measured(
            list_backbones(),
            create_classifier,
            lambda name: create_backbone(name, out_indices=range(5)),
            {'rexunet': ReXUNet}
            | {name: partial(create_unet, name, UNET_CLASSES) for name in STANDARD_UNETS},
        )
    print(f'wrote {options.plot or options.readme or MEASURED}')


if __name__ == '__main__':
    run_command(main)
