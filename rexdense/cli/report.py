"""``rexdense report``: write one page about training runs."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli.model_options import add_device_option, chosen_device
from rexdense.cli.parser import Parser, positive
from rexdense.device import reuse_freed_memory
from rexdense.engine.report.page.document import document
from rexdense.engine.report.page.sections import sections_of
from rexdense.engine.report.run_content import content_of_run
from rexdense.engine.report.run_record import RunRecord, read_run
from rexdense.errors import InvalidArgument
from rexdense.files.destinations import check_destination
from rexdense.files.writing import atomic_write
from rexdense.inference import Progress

PAGE = 'report.html'
IMAGES = 100


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense report',
        description='Write a page about training runs: curves, figures by class, mistakes, the '
        'best and the worst images, time, config, environment and data; several runs side by side. '
        'The page is one file that a browser opens without a server or network.',
    )
    result.add_argument(
        'runs', type=Path, nargs='+', metavar='WORK_DIR', help='work dirs of rexdense train'
    )
    result.add_argument(
        '--out', type=Path, metavar='FILE', help=f'the page; default: {PAGE} in the first work dir'
    )
    result.add_argument('--overwrite', action='store_true', help='replace an existing page')
    result.add_argument(
        '--images',
        type=positive(int, or_zero=True),
        default=IMAGES,
        metavar='N',
        help='validation images, spread over the set, that the best checkpoint predicts; 0: none',
    )
    result.add_argument(
        '--data-check',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='check the data like rexdense prepare',
    )
    result.add_argument(
        '--trust-config',
        action='store_true',
        help='build everything that the configs of the runs name, such as your own data sets; this '
        "can run any code. Default: only rexdense's",
    )
    add_device_option(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page; print its path and what is missing in it."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    path = options.out or options.runs[0] / PAGE
    records = [read_run(folder) for folder in options.runs]
    _name_apart(records)
    if path.suffix.lower() not in ('.html', '.htm'):
        raise InvalidArgument(f'--out {path}: a page ends in .html')
    if path.parent.is_dir():
        check_destination(path, options.overwrite)
    device = chosen_device(options)
    with Progress(options.images * len(records)) as progress:
        runs = [
            content_of_run(
                record,
                options.images,
                options.data_check,
                device,
                progress.advance,
                options.trust_config,
            )
            for record in records
        ]
    notes = list(dict.fromkeys(note for record in records for note in record.notes))
    title = ' beside '.join(record.name for record in records)
    content = document(title, notes, sections_of(runs))
    atomic_write(path, content, options.overwrite, make_folder=True)
    print(*notes, path, sep='\n')


def _name_apart(records: Sequence[RunRecord]) -> None:
    """Give distinct names to runs whose folders have the same name. Raise InvalidArgument if a run
    is given twice."""
    places = Counter(record.folder.resolve() for record in records)
    twice = [str(place) for place, count in places.items() if count > 1]
    if twice:
        raise InvalidArgument(f'{twice[0]} is named twice: name each work dir once')
    names = Counter(record.name for record in records)
    for record in records:
        if names[record.name] > 1:
            record.name = str(record.folder)
