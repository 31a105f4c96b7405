"""The sections with pictures: mistakes, and the best and worst images."""

from collections.abc import Sequence

from rexdense.engine.report.measured_images import MeasuredImages, ShownImage
from rexdense.engine.report.page.markup import Markup, element, joined
from rexdense.engine.report.page.parts import by_run, picture
from rexdense.engine.report.run_content import RunContent

_PICTURES = {
    'confusion_matrix': 'confusion matrix',
    'pr': 'precision over recall',
    'errors': 'errors',
}
_OF = {'bbox': 'boxes', 'segm': 'masks'}


def mistakes_section(runs: Sequence[RunContent]) -> Markup | None:
    """Return confusion matrices, precision-recall curves, and kinds of errors."""
    return by_run({run.name: _mistakes_of(run) for run in runs})


def _mistakes_of(run: RunContent) -> Markup | None:
    files, said = run.record.metric_files, 'As rexdense test has measured it.'
    if not files and run.measured:
        files, said = run.measured.files, run.measured.said
    pictures = []
    for name, content in files.items():
        if name.endswith('.png'):
            start, _, kind = name.removesuffix('.png').rpartition('_')
            title = _PICTURES.get(start) or _PICTURES[name.removesuffix('.png')]
            title = f'{title}, {_OF[kind]}' if kind in _OF else title
            pictures.append(picture(content, title))
    if not pictures:
        return None
    return joined([element('p', said, class_='soft'), element('div', *pictures, class_='pictures')])


def images_section(runs: Sequence[RunContent]) -> Markup | None:
    """Return the best and the worst validation images."""
    return by_run({run.name: _images_of(run.measured) for run in runs})


def _images_of(measured: MeasuredImages | None) -> Markup | None:
    if measured is None or not (measured.best or measured.worst):
        return None
    said = f'{measured.said} The order is that of the {measured.quality} of each image.'
    return joined(
        [
            element('p', said, class_='soft'),
            *_row('Worst', measured.worst, measured.quality),
            *_row('Best', measured.best, measured.quality),
        ]
    )


def _row(title: str, images: Sequence[ShownImage], quality: str) -> list[Markup]:
    pictures = [
        picture(each.picture, f'{each.name}: {quality} {each.value:.3f}') for each in images
    ]
    return [element('h3', title), element('div', *pictures, class_='pictures')] if pictures else []
