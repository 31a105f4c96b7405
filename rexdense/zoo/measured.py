"""``measured.json``: the sizes of all named networks, counted in the code."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from rexdense.files.writing import atomic_write
from rexdense.zoo.complexity import COUNTING_RULE, Complexity, count_complexity
from rexdense.zoo.detectors import OBJECTS, REGIONS, DetectorMeasurement, measure_detector

MEASURED = Path(__file__).with_name('measured.json')
INPUT_SIZE = 224
UNET_CLASSES = 11

RULE = {
    'input': f'one image of 3 x {INPUT_SIZE} x {INPUT_SIZE}',
    'network': 'the classifier with 1000 classes, in evaluation mode',
    'detector': 'of configs/*/{faster,mask}-rcnn_*_fpn_1x_coco.py, 80 classes; MACs by part, of '
    f'one image of that width x height without padding, {REGIONS} regions and {OBJECTS} objects',
    'unet': f'all six outputs, {UNET_CLASSES} classes (rexunet: its one), in evaluation mode',
    **COUNTING_RULE,
    'channels': 'of the levels c1 to c5, as their forward returns them',
    'strides': 'of the levels c1 to c5, in input pixels per feature pixel',
}


class Measurement(NamedTuple):
    """The counts of :data:`RULE`."""

    parameters: int
    macs: int
    activations: int
    channels: tuple[int, ...]
    strides: tuple[int, ...]


def measure(
    build_classifier: Callable[[], nn.Module], build_backbone: Callable[[], nn.Module]
) -> Measurement:
    """Measure one network on the meta device, without computing anything.

    Args:
        build_classifier: Returns the network with its 1000 classes.
        build_backbone: Returns a module whose forward returns the levels c1 to c5, (1, C, H, W)
            each.
    """
    with torch.device('meta'):
        complexity = count_complexity(build_classifier(), (1, 3, INPUT_SIZE, INPUT_SIZE))
        with torch.no_grad():
            levels = build_backbone().eval()(torch.empty(1, 3, INPUT_SIZE, INPUT_SIZE))
    return Measurement(
        *complexity,
        channels=tuple(level.shape[1] for level in levels),
        strides=tuple(INPUT_SIZE // level.shape[-1] for level in levels),
    )


def load_measured(path: Path = MEASURED) -> dict[str, Measurement]:
    """Return the measurements by name, in the order of the file."""
    networks = json.loads(path.read_text(encoding='utf-8'))['networks']
    return {name: _measurement(row) for name, row in networks.items()}


def _measurement(row: dict[str, Any]) -> Measurement:
    lists = {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return Measurement(**(row | lists))


def load_measured_unets(path: Path = MEASURED) -> dict[str, Complexity]:
    """Return the counts of the standard U-Nets, in the order of the file."""
    unets = json.loads(path.read_text(encoding='utf-8'))['unets']
    return {name: Complexity(**row) for name, row in unets.items()}


def load_measured_detectors(path: Path = MEASURED) -> dict[str, DetectorMeasurement]:
    """Return the sizes of the COCO detectors by backbone, in the order of the file."""
    detectors = json.loads(path.read_text(encoding='utf-8'))['detectors']
    return {name: DetectorMeasurement(**row) for name, row in detectors.items()}


def write_measured(
    names: Iterable[str],
    build_classifier: Callable[[str], nn.Module],
    build_backbone: Callable[[str], nn.Module],
    unets: Mapping[str, Callable[[], nn.Module]],
    detectors: Mapping[str, Mapping[str, Callable[[], nn.Module]]],
    path: Path = MEASURED,
) -> dict[str, Measurement]:
    """Measure the networks called ``names`` and the U-Nets, and overwrite ``path`` with the result.

    Args:
        build_classifier, build_backbone: As for :func:`measure`, but called with a name.
        unets: Functions that return a U-Net with ``UNET_CLASSES`` classes, by name.
        detectors: The argument of :func:`measure_detector`, by backbone.

    Returns:
        The measurements of ``names``.
    """
    measurements = {
        name: measure(partial(build_classifier, name), partial(build_backbone, name))
        for name in names
    }
    with torch.device('meta'):
        complexities = {
            name: count_complexity(build(), (1, 3, INPUT_SIZE, INPUT_SIZE))
            for name, build in unets.items()
        }
    sizes = {name: measure_detector(methods) for name, methods in detectors.items()}
    text = _as_text(measurements, complexities, sizes)
    atomic_write(path, text.encode(), overwrite=True)
    return measurements


def _as_text(
    measurements: dict[str, Measurement],
    unets: dict[str, Complexity],
    detectors: dict[str, DetectorMeasurement],
) -> str:
    """Return the text of the file, with one line per network."""
    rule = json.dumps(RULE, indent=4).replace('\n}', '\n  }')
    return (
        f'{{\n  "counting_rule": {rule},\n'
        f'  "networks": {_as_lines(measurements)},\n'
        f'  "unets": {_as_lines(unets)},\n'
        f'  "detectors": {_as_lines(detectors)}\n}}\n'
    )


def _as_lines(rows: Mapping[str, Measurement | Complexity | DetectorMeasurement]) -> str:
    lines = ',\n'.join(
        f'    {json.dumps(name)}: {json.dumps(row._asdict())}' for name, row in rows.items()
    )
    return f'{{\n{lines}\n  }}'
