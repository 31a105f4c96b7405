"""The record of a run in its work directory, read without running or building anything."""

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rexdense.checkpoint.formats.config_text import read_config_text
from rexdense.datasets.file_names import not_a_folder
from rexdense.engine.report.main_metric import MainMetric, kept_metric, main_metric
from rexdense.engine.report.metric_files import METRIC_FILES
from rexdense.engine.resume.checkpoints import checkpoints_of_runs, newest_checkpoint
from rexdense.engine.work_dir import LOCK, RUN_FOLDER
from rexdense.errors import CheckpointUnreadable, InvalidArgument, some_of
from rexdense.files.locks import holder_of
from rexdense.visualization.scalars import Scalars, read_scalars

FIRST_LINES = 200
"""Number of lines of a log to read, among which mmengine writes the environment."""
# The build settings of the packages fill pages, and the seed is among the settings of the run.
_NO_ENVIRONMENT = ('PyTorch compiling details', 'TorchVision compiling details')
_FACT = re.compile(r'    ([\w ./-]+): (.*)')


@dataclasses.dataclass
class RunRecord:
    """A training run.

    Attributes:
        folder: Its work directory.
        name: The name that distinguishes it from the others in a report.
        scalars: The logged values.
        config: The config as it ran, as values; empty if it cannot be read.
        config_text: The same as the text that mmengine wrote.
        config_name: The name of the config file, without ``.py``; empty if there is none.
        environment: Packages, devices and seed, by name.
        started: The time of the last start, in mmengine's form of folder names.
        checkpoint: The best checkpoint, or the newest if no best one is kept.
        metric_files: The newest files of ``rexdense test`` in this folder, by file name.
        trained_by: The text in the lock about the process that is training there; None if none is.
        notes: Sentences about missing or damaged parts.
    """

    folder: Path
    name: str
    scalars: Scalars
    config: dict[str, Any]
    config_text: str
    config_name: str
    environment: dict[str, str]
    started: str
    checkpoint: Path | None
    metric_files: dict[str, bytes]
    trained_by: str | None
    notes: list[str] = dataclasses.field(default_factory=list)

    def section(self, *keys: str) -> dict[str, Any]:
        """Return a section of the config by its keys; empty if there is none."""
        found: Any = self.config
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def metric(self) -> MainMetric | None:
        """The metric that selects the best weights: that by which the run kept them, or the main
        metric of its task."""
        return kept_metric(self.config) or main_metric(self.config)

    @property
    def by_epoch(self) -> bool:
        """Whether the run counts epochs instead of iterations."""
        return bool(self.scalars.training) and 'epoch' in self.scalars.training[-1]

    @property
    def unit(self) -> str:
        """The unit in which the run counts."""
        return 'epoch' if self.by_epoch else 'iteration'

    @property
    def done(self) -> int:
        """Number of epochs or iterations that were begun."""
        if not self.scalars.training:
            return 0
        return int(self.scalars.training[-1]['epoch' if self.by_epoch else 'step'])

    @property
    def planned(self) -> int | None:
        """Number of epochs or iterations of the schedule; None if the config does not state it."""
        length = self.section('train_cfg').get('max_epochs' if self.by_epoch else 'max_iters')
        return length if isinstance(length, int) else None

    @property
    def best(self) -> dict[str, float]:
        """The best validation, or the last if no metric selects the best; empty if none."""
        rows = self.scalars.validation
        best = self.metric.best(rows) if self.metric else None
        return dict(best or (rows[-1] if rows else {}))

    @property
    def seconds(self) -> float:
        """The time of all steps, from the logged times."""
        total, before = 0.0, 0
        for row in self.scalars.training:
            # A later start counts on from the step at which it resumed.
            seconds = row.get('time', 0.0)
            if math.isfinite(seconds):
                total += max(0, row['step'] - before) * seconds
            before = row['step']
        return total


def read_run(folder: str | Path) -> RunRecord:
    """Read the work directory of a run. Raise InvalidArgument if it does not exist, or has no
    run."""
    folder = Path(folder)
    starts = _starts(folder)
    scalars = read_scalars(folder)
    path, text = _config_file(folder, starts)
    notes = []
    config: dict[str, Any] = {}
    try:
        config = read_config_text(text, str(path or folder))
    except CheckpointUnreadable as error:
        notes.append(f'{error}; what rests on the config is left out.')
    if not text:
        notes.append(f'{folder} holds no config of the run; what rests on it is left out.')
    if scalars.damaged:
        more = len(scalars.damaged) - 1
        notes.append(
            f'{scalars.damaged[0]}, and was left out{f"; so were {more} more" if more else ""}.'
        )
    record = RunRecord(
        folder,
        folder.resolve().name,
        scalars,
        config,
        text,
        _config_name(folder),
        _environment(starts[-1]),
        starts[-1].name,
        None,
        _metric_files(starts),
        holder_of(folder / LOCK),
        notes,
    )
    record.checkpoint = _best_checkpoint(folder, record.metric)
    _note_what_is_missing(record)
    return record


def _starts(folder: Path) -> list[Path]:
    """Return the folders of the starts of a training in a work directory. Raise InvalidArgument if
    there is none."""
    if fault := not_a_folder(folder):
        raise InvalidArgument(f'{folder} {fault}: give the work dir of a run, work_dirs/NAME')
    starts = _trainings(folder)
    if starts:
        return starts
    inner = sorted(each.name for each in folder.iterdir() if each.is_dir() and _trainings(each))
    if inner:
        shown = some_of((folder / name for name in inner), 5)
        raise InvalidArgument(f'{folder} is no work dir but holds some: give {shown}')
    if any(RUN_FOLDER.fullmatch(each.name) for each in folder.iterdir()):
        raise InvalidArgument(
            f'{folder} holds a run that has logged no step of training yet: wait for its first '
            'ones, or give another work dir'
        )
    raise InvalidArgument(
        f'{folder} holds no run of rexdense train (looked for */vis_data/scalars.json): give the '
        'folder that its closing line names'
    )


def _trainings(folder: Path) -> list[Path]:
    return sorted(
        path.parent.parent
        for path in folder.glob('*/vis_data/scalars.json')
        if RUN_FOLDER.fullmatch(path.parent.parent.name)
    )


def _config_file(folder: Path, starts: list[Path]) -> tuple[Path | None, str]:
    """Return the file with the last config that ran, and its text; empty if there is none."""
    copies = [start / 'vis_data/config.py' for start in reversed(starts)]
    for path in [*copies, *sorted(folder.glob('*.py'))]:
        try:
            return path, path.read_text(encoding='utf-8', errors='replace')
        except OSError:
            continue
    return None, ''


def _config_name(folder: Path) -> str:
    """Return the name of the config file, of which mmengine keeps the newest copy."""
    newest = _last_changed(
        path for path in sorted(folder.glob('*.py'), reverse=True) if not path.is_dir()
    )
    return newest.name.removesuffix('.py') if newest else ''


def _environment(start: Path) -> dict[str, str]:
    """Return the packages and devices from mmengine's log."""
    facts: dict[str, str] = {}
    try:
        with open(start / f'{start.name}.log', encoding='utf-8', errors='replace') as file:
            lines = [line.rstrip('\n') for line, _ in zip(file, range(FIRST_LINES), strict=False)]
    except OSError:
        return facts
    within = False
    for line in lines:
        if line.endswith(' environment:'):
            within = True
        elif line.startswith('-----'):
            within = within and not facts
        found = _FACT.fullmatch(line) if within else None
        if found and found[1] not in _NO_ENVIRONMENT:
            facts[found[1]] = found[2].strip()
    return facts


def _best_checkpoint(folder: Path, metric: MainMetric | None) -> Path | None:
    """Return the best checkpoint, by ``metric`` if a run has kept several; the newest checkpoint if
    it has kept none."""
    best = [path for path in checkpoints_of_runs(folder) if path.name.startswith('best_')]
    if metric is not None:
        name = re.escape(metric.name.replace('/', '_'))
        by_metric = re.compile(rf'best_{name}_(epoch|iter|step)_\d+\.pth')
        best = [path for path in best if by_metric.fullmatch(path.name)] or best
    return _last_changed(best) or newest_checkpoint(folder)


def _last_changed(paths: Iterable[Path]) -> Path | None:
    """Return the most recently changed file. Missing files are ignored, such as a checkpoint that a
    training has just replaced."""
    times = {}
    for path in paths:
        with contextlib.suppress(OSError):
            times[path] = path.stat().st_mtime
    return max(times, key=times.__getitem__, default=None)


def _metric_files(starts: list[Path]) -> dict[str, bytes]:
    """Return the files of the last ``rexdense test`` in a work directory, by name."""
    tests = sorted(
        folder
        for folder in starts[-1].parent.iterdir()
        if RUN_FOLDER.fullmatch(folder.name) and folder.is_dir()
    )
    for folder in reversed(tests):
        found = {}
        for name in METRIC_FILES:
            # Most do not exist; one may be a folder, or unreadable for this user.
            with contextlib.suppress(OSError):
                found[name] = (folder / name).read_bytes()
        if found:
            return found
    return {}


def _note_what_is_missing(record: RunRecord) -> None:
    if record.trained_by is not None:
        record.notes.append(
            f'{record.folder} is still being trained ({record.trained_by or "unknown process"}): '
            'this is how far it has come.'
        )
    elif record.planned and record.done < record.planned:
        record.notes.append(
            f'{record.folder} has ended after {record.done} of {record.planned} {record.unit}s; '
            'rexdense train with --resume goes on.'
        )
    if not record.scalars.validation:
        record.notes.append(
            f'{record.folder} has logged no validation, so there are no metrics of it; '
            'rexdense test measures a checkpoint.'
        )
    if record.checkpoint is None:
        record.notes.append(f'{record.folder} holds no whole checkpoint, so nothing is predicted.')
