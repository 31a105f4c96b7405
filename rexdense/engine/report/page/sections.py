"""The sections of the page, each about all runs."""

import math
from collections.abc import Callable, Sequence

from rexdense.engine.config.comparison import changed_settings
from rexdense.engine.report.closing_line import duration
from rexdense.engine.report.page.curves import curves_section, time_section
from rexdense.engine.report.page.document import Section
from rexdense.engine.report.page.markup import Markup, element, joined
from rexdense.engine.report.page.metrics import classes_section, metrics_section
from rexdense.engine.report.page.parts import by_run, picture, table, text_cell
from rexdense.engine.report.page.pictures import images_section, mistakes_section
from rexdense.engine.report.run_content import RunContent


def sections_of(runs: Sequence[RunContent]) -> list[Section]:
    """Return the sections of the page about some runs."""
    return [
        Section('summary', 'Summary', _summary(runs)),
        Section('curves', 'Curves', curves_section(runs)),
        Section('metrics', 'Metrics', metrics_section(runs)),
        Section('classes', 'By class', classes_section(runs)),
        Section('mistakes', 'Mistakes', mistakes_section(runs)),
        Section('images', 'Images', images_section(runs)),
        Section('time', 'Time and memory', time_section(runs)),
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
    if record.metric is None or record.metric.name not in best:
        return None
    value = best[record.metric.name]
    if math.isnan(value):
        return None
    return f'{record.metric.name} {value:.3f} at {record.unit} {best["step"]:.0f}'


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
