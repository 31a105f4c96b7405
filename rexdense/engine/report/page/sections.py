"""The sections of the page, each made of all runs."""

import math
from collections.abc import Callable, Mapping, Sequence

from rexdense.engine.config.comparison import changed_settings
from rexdense.engine.report.closing_line import duration
from rexdense.engine.report.measured_images import MeasuredImages, ShownImage
from rexdense.engine.report.page.document import Section
from rexdense.engine.report.page.line_chart import Line, line_chart
from rexdense.engine.report.page.markup import Markup, element, joined
from rexdense.engine.report.page.parts import by_run, number_cell, picture, table, text_cell
from rexdense.engine.report.run_content import RunContent
from rexdense.evaluation.depth_evaluation import DEPTH_METRICS
from rexdense.evaluation.metrics_table import metrics_of
from rexdense.visualization.curves import MASKS, drawn_metrics, loss_names

__all__ = ['sections_of']

MOST_LOSSES = 6
MEBIBYTE = 'MiB'
_PICTURES = {
    'confusion_matrix': 'confusion matrix',
    'pr': 'precision over recall',
    'errors': 'errors',
}
_LESS_IS_BETTER = {*DEPTH_METRICS, 'calibration_error'} - {'d1', 'd2', 'd3'}
_OF = {'bbox': 'boxes', 'segm': 'masks'}


def sections_of(runs: Sequence[RunContent]) -> list[Section]:
    """Return the sections of the page about some runs."""
    return [
        Section('summary', 'Summary', _summary(runs)),
        Section('curves', 'Curves', _curves(runs)),
        Section('figures', 'Figures', _figures(runs)),
        Section('classes', 'By class', _classes(runs)),
        Section('mistakes', 'Mistakes', _mistakes(runs)),
        Section('images', 'Images', _images(runs)),
        Section('time', 'Time and memory', _time(runs)),
        Section('config', 'Config', _config(runs)),
        Section('environment', 'Environment', _environment(runs)),
        Section('data', 'Data', by_run({run.name: _data(run) for run in runs})),
    ]


def _summary(runs: Sequence[RunContent]) -> Markup:
    facts: dict[str, Callable[[RunContent], object]] = {
        'work dir': lambda run: run.record.folder,
        'config': lambda run: run.record.config_name or None,
        'model': _model,
        'parameters': lambda run: f'{run.measured.parameters:,}' if run.measured else None,
        'started': lambda run: _time_of(run.record.started),
        'trained': _trained,
        'time of all steps': lambda run: duration(run.record.seconds),
        'best validation': _best,
        'checkpoint': lambda run: run.record.checkpoint and run.record.checkpoint.name,
    }
    rows = []
    for name, fact in facts.items():
        values = [fact(run) for run in runs]
        if any(value is not None for value in values):
            cells = [text_cell('-' if value is None else value) for value in values]
            rows.append([element('th', name, scope='row'), *cells])
    return table(['', *(run.name for run in runs)], rows)


def _model(run: RunContent) -> str | None:
    backbone = run.record.section('model', 'backbone')
    words = [run.record.section('model').get('type'), backbone.get('arch') or backbone.get('type')]
    return ', '.join(str(word) for word in words if word) or None


def _time_of(started: str) -> str:
    day, clock = started.split('_')
    return f'{day[:4]}-{day[4:6]}-{day[6:]} {clock[:2]}:{clock[2:4]}:{clock[4:]}'


def _trained(run: RunContent) -> str:
    record = run.record
    of = f' of {record.planned}' if record.planned else ''
    return f'{record.done}{of} {record.unit}s'


def _best(run: RunContent) -> str | None:
    record, best = run.record, run.record.best
    if record.figure is None or record.figure.name not in best:
        return None
    value = best[record.figure.name]
    return f'{record.figure.name} {value:.3f} at {record.unit} {best["step"]:.0f}'


def _curves(runs: Sequence[RunContent]) -> Markup | None:
    charts = [_of_rows(runs, 'Loss', ['loss'])]
    if len(runs) == 1 and runs[0].record.scalars.training:
        losses = [name for name in loss_names(runs[0].record.scalars.training) if name != 'loss']
        charts.append(_of_rows(runs, 'Parts of the loss', losses[:MOST_LOSSES]))
    charts.append(_of_rows(runs, 'Learning rate', ['lr']))
    names = _validated(runs)
    if len(runs) == 1:
        charts.append(_of_validation(runs, 'Validation', names))
    else:
        charts += [_of_validation(runs, name, [name]) for name in names]
    return _together(charts)


def _validated(runs: Sequence[RunContent]) -> list[str]:
    """Return the metrics that are drawn, of all runs."""
    return list(
        dict.fromkeys(
            name
            for run in runs
            if run.record.scalars.validation
            for name in drawn_metrics(run.record.scalars.validation[-1])
        )
    )


def _together(charts: Sequence[Markup | None]) -> Markup | None:
    there = [chart for chart in charts if chart is not None]
    return element('div', *there, class_='charts') if there else None


def _of_rows(runs: Sequence[RunContent], title: str, names: Sequence[str]) -> Markup | None:
    return line_chart(
        title, 'iteration', _lines(runs, names, lambda run: run.record.scalars.training)
    )


def _of_validation(runs: Sequence[RunContent], title: str, names: Sequence[str]) -> Markup | None:
    units = {run.record.unit for run in runs}
    lines = _lines(runs, names, lambda run: run.record.scalars.validation)
    return line_chart(title, ' or '.join(sorted(units)), lines)


def _lines(
    runs: Sequence[RunContent],
    names: Sequence[str],
    rows: Callable[[RunContent], Sequence[Mapping[str, float]]],
) -> list[Line]:
    """Return a line of each run and name."""
    return [
        Line(
            run.name if len(runs) > 1 else name.rpartition('/')[2],
            [(row['step'], row.get(name, math.nan)) for row in rows(run)],
            colour=number if len(runs) > 1 else place,
            dashed=len(runs) == 1 and MASKS in name,
        )
        for number, run in enumerate(runs)
        for place, name in enumerate(names)
    ]


def _values(run: RunContent) -> dict[str, float]:
    """Return the metrics of the best validation, or of what was predicted where none was logged."""
    logged = metrics_of(run.record.best)
    return logged or (run.measured.metrics if run.measured else {})


def _figures(runs: Sequence[RunContent]) -> Markup | None:
    """Return the metrics, the best value of several runs emphasised."""
    found = [
        {name: value for name, value in _values(run).items() if name.count('/') < 2} for run in runs
    ]
    compared = _compared('metric', runs, found)
    if compared is None:
        return None
    said = [
        element('p', f'{run.name} has logged none. {_predicted(run.measured)}', class_='soft')
        for run in runs
        if run.measured and not run.record.scalars.validation
    ]
    return joined([*said, compared])


def _compared(
    heading: str, runs: Sequence[RunContent], found: Sequence[Mapping[str, float]]
) -> Markup | None:
    names = list(dict.fromkeys(name for metrics in found for name in metrics))
    if not names:
        return None
    rows = []
    for name in names:
        values = [metrics.get(name, math.nan) for metrics in found]
        known = [value for value in values if not math.isnan(value)]
        best = (
            (min if name.rpartition('/')[2] in _LESS_IS_BETTER else max)(known)
            if len(runs) > 1 and known
            else None
        )
        rows.append(
            [text_cell(name), *(number_cell(value, best=value == best) for value in values)]
        )
    return table([heading, *(run.name for run in runs)], rows, sortable=True)


def _classes(runs: Sequence[RunContent]) -> Markup | None:
    """Return the metrics by class of the best validation: a column each metric and run."""
    columns: list[tuple[str, Mapping[str, float]]] = []
    for run in runs:
        by_metric: dict[str, dict[str, float]] = {}
        for name, value in _values(run).items():
            parts = name.split('/', 2)
            if len(parts) == 3:
                by_metric.setdefault(parts[1], {})[parts[2]] = value
        for metric, values in by_metric.items():
            columns.append((f'{metric}, {run.name}' if len(runs) > 1 else metric, values))
    names = list(dict.fromkeys(name for _, values in columns for name in values))
    if not names:
        return None
    rows = [
        [text_cell(name), *(number_cell(values.get(name)) for _, values in columns)]
        for name in names
    ]
    return table(['class', *(heading for heading, _ in columns)], rows, sortable=True)


def _mistakes(runs: Sequence[RunContent]) -> Markup | None:
    """Return confusion matrices, curves of precision over recall, and kinds of errors."""
    return by_run({run.name: _mistakes_of(run) for run in runs})


def _mistakes_of(run: RunContent) -> Markup | None:
    files, said = run.record.metric_files, 'As rexdense test has measured it.'
    if not files and run.measured:
        files, said = run.measured.files, _predicted(run.measured)
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


def _predicted(measured: MeasuredImages) -> str:
    some = measured.images < measured.of_all
    of = f'{measured.images} of the {measured.of_all}' if some else f'all {measured.images}'
    return f'Predicted by {measured.checkpoint.name} for {of} validation images.'


def _images(runs: Sequence[RunContent]) -> Markup | None:
    return by_run({run.name: _images_of(run.measured) for run in runs})


def _images_of(measured: MeasuredImages | None) -> Markup | None:
    if measured is None or not (measured.best or measured.worst):
        return None
    said = f'{_predicted(measured)} The order is that of the {measured.quality} of each image.'
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


def _time(runs: Sequence[RunContent]) -> Markup | None:
    charts = [
        _of_rows(runs, 'Seconds a step', ['time'] if len(runs) > 1 else ['time', 'data_time']),
        _of_rows(runs, f'Memory of the accelerator, {MEBIBYTE}', ['memory']),
    ]
    if len(runs) > 1:
        charts.insert(1, _of_rows(runs, 'Seconds a step spent on waiting for data', ['data_time']))
    drawn = _together(charts)
    if drawn is None:
        return None
    without = [
        run.name for run in runs if not any('memory' in r for r in run.record.scalars.training)
    ]
    said = f'Memory is logged on accelerators alone: {", ".join(without)} ran without.'
    return joined([drawn, element('p', said, class_='soft') if without else None])


def _config(runs: Sequence[RunContent]) -> Markup | None:
    parts: list[Markup] = []
    first, *others = runs
    for run in others:
        if first.record.config and run.record.config:
            changes = changed_settings(run.record.config, first.record.config)
            title = f'{run.name}, where it differs from {first.name}'
            parts += _changes(title, (run.name, first.name), changes)
    for run in runs:
        if run.base is not None:
            changes = changed_settings(run.record.config, run.base)
            title = f'{run.name}, where it differs from the shipped config'
            parts += _changes(title, ('as it ran', 'shipped'), changes)
        elif run.record.config_name:
            said = (
                f'No config called {run.record.config_name} comes with rexdense, so {run.name} is '
                'compared with none.'
            )
            parts.append(element('p', said, class_='soft'))
        if run.record.config_text:
            summary = element('summary', f'{run.name}: the whole config as it ran')
            parts.append(element('details', summary, element('pre', run.record.config_text)))
    return joined(parts) if parts else None


def _changes(
    title: str, headings: tuple[str, str], changes: Sequence[tuple[str, str, str]]
) -> list[Markup]:
    if not changes:
        return [element('h3', title), element('p', 'Nowhere.', class_='soft')]
    rows = [[text_cell(value) for value in change] for change in changes]
    return [element('h3', title), table(['setting', *headings], rows)]


def _environment(runs: Sequence[RunContent]) -> Markup | None:
    names = list(dict.fromkeys(name for run in runs for name in run.record.environment))
    if not names:
        return None
    rows = [
        [
            element('th', name, scope='row'),
            *(text_cell(run.record.environment.get(name, '-')) for run in runs),
        ]
        for name in names
    ]
    return table(['', *(run.name for run in runs)], rows)


def _data(run: RunContent) -> Markup | None:
    if run.data is None:
        return None
    return joined(
        [
            element('p', f'{run.data.root}, as rexdense prepare finds it.', class_='soft'),
            element('pre', run.data.text),
            picture(run.data.picture, 'Counts, samples, and what is suspicious'),
        ]
    )
