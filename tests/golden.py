"""Samples of the reference implementations' outputs, which are part of the project.

``golden.json`` has for each reference network: the input's shape, the range of the norms' scales, a
digest of its tensors' names and shapes, and for each output its largest and mean magnitude and a
few values. Weights and inputs follow from names and seeds. If the whole outputs are available in
``../shared/golden``, ``python -m tests.golden`` writes the file again from them. :func:`record`
adds an available network.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.shared_files import golden_cases, golden_meta, golden_outputs

__all__ = [
    'SAMPLES',
    'TOLERANCE',
    'assert_samples',
    'digest',
    'filled',
    'picture',
    'record',
    'sampled',
]

FILE = Path(__file__).with_suffix('.json')
SAMPLES: dict[str, dict[str, Any]] = json.loads(FILE.read_text()) if FILE.is_file() else {}
VALUES = 5
TOLERANCE = 1e-4


def filled(name: str, shape: tuple[int, ...], gamma: tuple[float, float]) -> torch.Tensor:
    """Return the weights of a tensor in the references: drawn from its name, by its kind."""
    kind = name.rsplit('.', 1)[-1]
    if kind == 'num_batches_tracked':
        return torch.zeros(shape, dtype=torch.int64)
    draw = np.random.RandomState(zlib.crc32(name.encode()))
    if kind in ('running_var', 'moving_variance'):
        values = draw.uniform(0.5, 1.5, shape)
    elif len(shape) > 1:
        values = draw.randn(*shape) * math.sqrt(2 / math.prod(shape[1:]))
    elif kind in ('weight', 'gamma'):
        values = draw.uniform(*gamma, shape)
    else:
        values = draw.randn(*shape) * 0.1
    return torch.from_numpy(np.asarray(values, np.float32))


def picture(shape: Iterable[int], seed: int = 0) -> torch.Tensor:
    """Return an input batch (N, 3, H, W) of normal noise."""
    return torch.from_numpy(np.random.RandomState(seed).randn(*shape).astype(np.float32))


def digest(keys: Iterable[tuple[str, Iterable[int]]]) -> str:
    """Return a short digest of names and shapes in order."""
    text = json.dumps([[name, list(shape)] for name, shape in keys])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sampled(output: np.ndarray) -> list[float]:
    """Return an output's largest and mean magnitude, and a few values at places that depend on its
    size."""
    flat = np.asarray(output, np.float32).ravel()
    places = np.random.RandomState(flat.size).randint(flat.size, size=VALUES)
    return [
        float(f'{value:.6g}')
        for value in (np.abs(flat).max(), np.abs(flat).mean(dtype=np.float64), *flat[places])
    ]


def assert_samples(output: torch.Tensor, expected: list[float], what: str) -> None:
    """Check that an output agrees with a reference's samples to 1e-4 of its largest magnitude."""
    found = sampled(output.numpy())
    error = max(abs(a - b) for a, b in zip(found, expected, strict=True)) / expected[0]
    assert error < TOLERANCE, f'{what} is off by {error:.1e}'


def record(
    case: str,
    reference: nn.Module,
    outputs: Callable[[Tensor], Mapping[str, Tensor]],
    shape: tuple[int, ...] = (1, 3, 64, 64),
    gamma: tuple[float, float] = (0.5, 1.5),
    file: Path = FILE,
) -> None:
    """Add the samples of a reference network to ``file``.

    Args:
        case: ``<project>_<network>``, with a project of ``rexdense.checkpoint.SCHEMES``.
        reference: The project's own network; its weights are set from their names.
        outputs: Returns the network's outputs for images (N, 3, H, W): ``logits``, and ``stage0``
            to ``stage4`` for those of the levels c1 to c5 that it has.
        shape: Shape of the images.
        gamma: Range of the norms' scales.
    """
    keys = [(name, tuple(tensor.shape)) for name, tensor in reference.state_dict().items()]
    reference.load_state_dict({name: filled(name, each, gamma) for name, each in keys})
    reference.eval()
    with torch.no_grad():
        found = outputs(picture(shape))
    samples = json.loads(file.read_text()) if file.is_file() else {}
    samples[case] = dict(
        input=list(shape),
        gamma=list(gamma),
        keys=digest(keys),
        outputs={name: sampled(output.numpy()) for name, output in found.items()},
    )
    file.write_text(_text(samples))


def _samples_of(case: str) -> dict[str, Any]:
    meta = golden_meta(case)
    return dict(
        input=meta['input'],
        gamma=meta['gamma'],
        keys=digest(meta['keys']),
        outputs={name: sampled(output) for name, output in golden_outputs(case).items()},
    )


def _text(samples: Mapping[str, Any]) -> str:
    lines = (
        f'{json.dumps(case)}: {json.dumps(each, separators=(",", ":"))}'
        for case, each in samples.items()
    )
    return '{\n' + ',\n'.join(lines) + '\n}\n'


if __name__ == '__main__':
    FILE.write_text(_text({case: _samples_of(case) for case in golden_cases('*')}))
