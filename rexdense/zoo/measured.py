"""``measured.json``: what every named network is, counted in the code itself."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from rexdense.zoo.complexity import COUNTING_RULE, count_complexity
from rexdense.zoo.writing import replace_file

__all__ = ['MEASURED', 'Measurement', 'load_measured', 'measure', 'write_measured']

MEASURED = Path(__file__).with_name('measured.json')
INPUT_SIZE = 224

RULE = {
    'input': f'one image of 3 x {INPUT_SIZE} x {INPUT_SIZE}',
    'network': 'the classifier with 1000 classes, in evaluation mode',
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
    """Measure one network; nothing is computed, all tensors are on the meta device.

    Args:
        build_classifier: Returns the network with its 1000 classes.
        build_backbone: Returns a module whose forward has the levels c1 to c5, (1, C, H, W) each.
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
    """Return the measurement of every name, in the order of the file."""
    networks = json.loads(path.read_text(encoding='utf-8'))['networks']
    return {
        name: Measurement(
            **{
                key: tuple(value) if isinstance(value, list) else value
                for key, value in row.items()
            }
        )
        for name, row in networks.items()
    }


def write_measured(
    names: Iterable[str],
    build_classifier: Callable[[str], nn.Module],
    build_backbone: Callable[[str], nn.Module],
    path: Path = MEASURED,
) -> dict[str, Measurement]:
    """Measure the networks called ``names`` and put the result in place of ``path``.

    Args:
        build_classifier, build_backbone: As for :func:`measure`, given a name.
    """
    measurements = {
        name: measure(
            lambda name=name: build_classifier(name), lambda name=name: build_backbone(name)
        )
        for name in names
    }
    replace_file(path, lambda aside: aside.write_text(_as_text(measurements), encoding='utf-8'))
    return measurements


def _as_text(measurements: dict[str, Measurement]) -> str:
    """The file, with one line for each network."""
    rule = json.dumps(RULE, indent=4).replace('\n}', '\n  }')
    rows = ',\n'.join(
        f'    {json.dumps(name)}: {json.dumps(measurement._asdict())}'
        for name, measurement in measurements.items()
    )
    return f'{{\n  "counting_rule": {rule},\n  "networks": {{\n{rows}\n  }}\n}}\n'
