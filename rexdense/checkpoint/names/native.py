"""Tensor names of a classifier in rexdense, generated from its architecture.

A checkpoint is compared with all named networks. Generating their names takes 0.05 s. Building each
network, on torch's meta device, would take some seconds. A test compares both.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from rexdense.arch import Architecture
from rexdense.arch.levels import MaxPoolSpec
from rexdense.arch.residual import BottleneckSpec
from rexdense.arch.rexnet import InvertedBottleneckSpec

HEAD = 'head.'
STEM_WEIGHT = 'stem.conv.weight'
COUNTER = 'num_batches_tracked'
NORM_TENSORS = ('weight', 'bias', 'running_mean', 'running_var', COUNTER)
IN_CHANNELS, CLASSES = 3, 1000
"""Input channels and classes of the shapes here; those of a checkpoint may differ."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A convolution, linear layer or batch norm: its path, and the shapes of its tensors."""

    path: str
    shapes: dict[str, tuple[int, ...]]


def convolution(path: str, out: int, inputs: int, kernel: int = 1, bias: bool = False) -> Layer:
    """Return a convolution; ``inputs`` is the number of input channels per group."""
    shapes: dict[str, tuple[int, ...]] = {'weight': (out, inputs, kernel, kernel)}
    if bias:
        shapes['bias'] = (out,)
    return Layer(path, shapes)


def _norm(path: str, channels: int) -> Layer:
    return Layer(
        path, {name: () if name == NORM_TENSORS[-1] else (channels,) for name in NORM_TENSORS}
    )


def _convolution_norm(path: str, out: int, inputs: int, kernel: int = 1) -> Iterator[Layer]:
    yield convolution(f'{path}.conv', out, inputs, kernel)
    yield _norm(f'{path}.norm', out)


def inverted_bottleneck(path: str, spec: InvertedBottleneckSpec) -> Iterator[Layer]:
    """Yield the layers of a ReXNet block."""
    hidden = spec.hidden_channels
    if hidden != spec.in_channels:
        yield from _convolution_norm(f'{path}.expand', hidden, spec.in_channels)
    yield from _convolution_norm(f'{path}.depthwise', hidden, 1, 3)
    if spec.squeeze_channels:
        gate = f'{path}.squeeze_excitation'
        yield convolution(f'{gate}.reduce', spec.squeeze_channels, hidden, bias=True)
        yield _norm(f'{gate}.norm', spec.squeeze_channels)
        yield convolution(f'{gate}.expand', hidden, spec.squeeze_channels, bias=True)
    yield from _convolution_norm(f'{path}.project', spec.out_channels, hidden)


def _bottleneck(path: str, spec: BottleneckSpec) -> Iterator[Layer]:
    hidden = spec.hidden_channels
    yield from _convolution_norm(f'{path}.conv1', hidden, spec.in_channels)
    yield from _convolution_norm(f'{path}.conv2', hidden, hidden // spec.groups, 3)
    if spec.squeeze_channels:
        gate = f'{path}.squeeze_excitation'
        yield convolution(f'{gate}.reduce', spec.squeeze_channels, hidden, bias=True)
        yield convolution(f'{gate}.expand', hidden, spec.squeeze_channels, bias=True)
    yield from _convolution_norm(f'{path}.conv3', spec.out_channels, hidden)
    if spec.downsample:
        yield from _convolution_norm(f'{path}.downsample', spec.out_channels, spec.in_channels)


_BLOCKS: dict[type, Any] = {
    InvertedBottleneckSpec: inverted_bottleneck,
    BottleneckSpec: _bottleneck,
}
# Other families have a 3x3 stem.
_STEM_KERNELS = {'resnext': 7}


def level_of(native: str) -> int:
    """Return the level of a tensor's stage; -1 for the stem and the head."""
    return int(native.split('.')[1]) if native.startswith('stages.') else -1


class Block(NamedTuple):
    """A block: its place and its specification.

    ``position`` counts the blocks of a level. The number in ``path`` counts its modules, including
    poolings.
    """

    level: int
    position: int
    path: str
    spec: Any


def blocks(architecture: Architecture) -> Iterator[Block]:
    """Yield the blocks of a network in order, without poolings, which have no tensors."""
    for level, specs in enumerate(architecture.stages):
        modules = [item for item in enumerate(specs) if not isinstance(item[1], MaxPoolSpec)]
        for position, (module, spec) in enumerate(modules):
            yield Block(level, position, f'stages.{level}.{module}', spec)


def _body(architecture: Architecture) -> Iterator[Layer]:
    kernel = _STEM_KERNELS.get(architecture.family, 3)
    yield from _convolution_norm('stem', architecture.stem_channels, IN_CHANNELS, kernel)
    for block in blocks(architecture):
        yield from _BLOCKS[type(block.spec)](block.path, block.spec)


def _head(architecture: Architecture) -> Iterator[Layer]:
    widths = (architecture.levels[-1].channels, *architecture.classifier_widths)
    if len(widths) > 1:
        yield from _convolution_norm('head.final', widths[1], widths[0])
    if len(widths) > 2:
        yield convolution('head.hidden', widths[2], widths[1], bias=True)
        yield _norm('head.hidden_norm', widths[2])
    yield Layer('head.fc', {'weight': (CLASSES, widths[-1]), 'bias': (CLASSES,)})


@functools.lru_cache(maxsize=256)
def native_layers(architecture: Architecture) -> dict[str, Layer]:
    """Return the layers of a backbone (``stem``, ``stages``) and its head (``head``), by path.

    The order and names are those of ``Classifier.state_dict()``, without the prefix ``backbone.``
    of the backbone.
    """
    layers = [*_body(architecture), *_head(architecture)]
    return {layer.path: layer for layer in layers}
