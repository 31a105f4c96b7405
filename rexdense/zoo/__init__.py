"""Sizes and published accuracies of the named networks, as data."""

from rexdense.zoo.complexity import Complexity, count_complexity
from rexdense.zoo.measured import (
    MEASURED,
    UNET_CLASSES,
    Measurement,
    load_measured,
    load_measured_detectors,
    load_measured_unets,
    measure,
    write_measured,
)
from rexdense.zoo.page import render_page
from rexdense.zoo.plot import plot_accuracy
from rexdense.zoo.published import PublishedNumber, PublishedRow, load_published
from rexdense.zoo.quantities import format_count, parse_count
from rexdense.zoo.table import SORT_KEYS, ZooEntry, as_markdown, as_text, select, zoo_entries

__all__ = [
    'MEASURED',
    'SORT_KEYS',
    'UNET_CLASSES',
    'Complexity',
    'PublishedNumber',
    'Measurement',
    'PublishedRow',
    'ZooEntry',
    'as_markdown',
    'as_text',
    'count_complexity',
    'format_count',
    'load_measured',
    'load_measured_detectors',
    'load_measured_unets',
    'load_published',
    'measure',
    'parse_count',
    'plot_accuracy',
    'render_page',
    'select',
    'write_measured',
    'zoo_entries',
]
