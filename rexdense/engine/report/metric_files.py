"""Tables and pictures that explain the metrics of a run."""

from pathlib import Path
from typing import Any

from rexdense.errors import MissingDependency
from rexdense.files.writing import atomic_write
from rexdense.visualization.confusion import confusion_table, draw_confusion
from rexdense.visualization.picture_files import encode_picture
from rexdense.visualization.plots.detection import plot_errors, plot_precision_recall

NOTHING = '(nothing)'
"""The class of a missing object, or of an object not found, in the confusion matrix of a
detector."""

_OF_DETECTORS = ('confusion_matrix_{}.png', 'confusion_matrix_{}.csv', 'pr_{}.png', 'errors_{}.png')
METRIC_FILES = (
    'confusion_matrix.png',
    'confusion_matrix.csv',
    *(name.format(kind) for kind in ('bbox', 'segm') for name in _OF_DETECTORS),
)
"""Names of all files that may be written."""


def write_metric_files(metric: Any, folder: Path, overwrite: bool) -> list[Path]:
    """Write the tables and pictures of a metric, see :func:`metric_files`, and return the paths.

    Args:
        folder: Output folder, created if it is missing.
        overwrite: Replace existing files.
    """
    return [
        atomic_write(folder / name, content, overwrite, make_folder=True)
        for name, content in metric_files(metric).items()
    ]


def metric_files(metric: Any) -> dict[str, bytes]:
    """Return tables and pictures about a metric by file name.

    For classes and detectors, these are a confusion matrix as a table and a picture; for detectors
    also precision-recall curves and the kinds of errors. Without matplotlib, a line reports that it
    is missing.
    """
    contents: dict[str, bytes] = {}
    classes = (getattr(metric, 'dataset_meta', None) or {}).get('classes') or ()
    evaluation = getattr(metric, 'evaluation', None)
    if evaluation is not None:
        contents |= _confusion('confusion_matrix', evaluation.confusion, classes)
    for kind, errors in (getattr(metric, 'errors', None) or {}).items():
        name = f'confusion_matrix_{kind}'
        contents |= _confusion(name, errors.confusion, [*classes, NOTHING])
        title = {'bbox': 'boxes', 'segm': 'masks'}[kind]
        precision = metric.evaluations[kind].precision
        try:
            contents[f'pr_{kind}.png'] = plot_precision_recall(precision, classes, title)
            contents[f'errors_{kind}.png'] = plot_errors(
                errors.gains, errors.counts_above, errors.score, title
            )
        except MissingDependency as error:
            print(error)
    return contents


def _confusion(name: str, confusion: Any, classes: Any) -> dict[str, bytes]:
    """Return the files of a confusion matrix by name."""
    picture = encode_picture(draw_confusion(confusion, classes), '.png')
    table = confusion_table(confusion, classes).encode()
    return {f'{name}.csv': table, f'{name}.png': picture}
