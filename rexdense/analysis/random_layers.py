"""The rank of the output of random layers for random input, by their expansion of the width.

This is a study in the manner of the ReXNet paper (Han et al. 2021, section 3.2), which asks how far
a layer may widen its input before its features span only a part of their channels. The paper's
protocol is published only in part. This one is ours, and its figures are not the paper's:

- The output has a width drawn uniformly from ``WIDTHS``. The input has ``ratio`` times as many
  channels, rounded, at least 1. It is standard normal, 4 maps of 12 x 12 pixels.
- Weights are normal with variance 1 / (inputs of a unit). There are no biases or normalisation.
- 'conv 1x1' and 'conv 3x3' are one convolution and the nonlinearity. The two 'bottleneck' layers
  are inverted bottlenecks: 1x1 to 6 times the input's channels, the nonlinearity, 3x3
  ('depthwise': one filter per channel), the nonlinearity, and 1x1 to the output, which is linear
  as in MobileNetV2.
- The rank is that of :mod:`rexdense.analysis.rank`, over all 576 places, and the effective rank,
  each divided by the output's channels; means over ``networks`` draws.

Over so many places, any nonlinearity raises the rank to all channels, however weak they are. Only
the effective rank distinguishes nonlinearities.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.analysis.rank import FeatureRank, rank_of
from rexdense.arch.checks import require_positive_integer
from rexdense.errors import InvalidArgument, suggest

WIDTHS = (32, 128)
EXPANSION = 6
MAPS = (4, 12, 12)
RATIOS = tuple(tenth / 10 for tenth in range(1, 11))

NONLINEARITIES: dict[str, Callable[[Tensor], Tensor]] = {
    'none': lambda x: x,
    'ReLU': F.relu,
    'ReLU6': F.relu6,
    'LeakyReLU': F.leaky_relu,
    'ELU': F.elu,
    'SiLU': F.silu,
}


class MeanRank(NamedTuple):
    """A point of the study.

    Attributes:
        layer: A name from ``LAYERS``.
        nonlinearity: A name from ``NONLINEARITIES``.
        ratio: Channels of the input / of the output.
        rank: Mean of rank / width over the draws.
        effective: Mean of effective rank / width.
    """

    layer: str
    nonlinearity: str
    ratio: float
    rank: float
    effective: float


def _convolve(x: Tensor, width: int, side: int, random: torch.Generator, groups: int = 1) -> Tensor:
    inputs = x.shape[1] // groups * side**2
    weight = torch.randn(width, x.shape[1] // groups, side, side, generator=random)
    return F.conv2d(x, weight / inputs**0.5, padding=side // 2, groups=groups)


def _single(side: int) -> Callable:
    def layer(x: Tensor, width: int, act: Callable, random: torch.Generator) -> Tensor:
        return act(_convolve(x, width, side, random))

    return layer


def _bottleneck(depthwise: bool) -> Callable:
    def layer(x: Tensor, width: int, act: Callable, random: torch.Generator) -> Tensor:
        wide = EXPANSION * x.shape[1]
        x = act(_convolve(x, wide, 1, random))
        x = act(_convolve(x, wide, 3, random, wide if depthwise else 1))
        return _convolve(x, width, 1, random)

    return layer


LAYERS: dict[str, Callable[[Tensor, int, Callable, torch.Generator], Tensor]] = {
    'conv 1x1': _single(1),
    'conv 3x3': _single(3),
    'bottleneck, 3x3': _bottleneck(depthwise=False),
    'bottleneck, depthwise 3x3': _bottleneck(depthwise=True),
}


def random_layer_ranks(
    layers: Sequence[str] = tuple(LAYERS),
    nonlinearities: Sequence[str] = tuple(NONLINEARITIES),
    ratios: Sequence[float] = RATIOS,
    networks: int = 10,
    seed: int = 0,
) -> list[MeanRank]:
    """Return the mean rank for each layer, nonlinearity and ratio of widths.

    The draws are the same for all nonlinearities, so these are compared on the same layers.

    Args:
        networks: Number of draws per point.
        seed: Seed of widths, weights and inputs.

    Raises:
        UnknownName, InvalidArgument: a layer, nonlinearity or ratio is not allowed.
    """
    require_positive_integer('networks', networks)
    for given, known in ((layers, LAYERS), (nonlinearities, NONLINEARITIES)):
        for name in given:
            if name not in known:
                raise InvalidArgument(f'{name!r} is not known: {suggest(name, known)}')
    for ratio in ratios:
        if not 0 < ratio <= 1:
            raise InvalidArgument(f'ratio={ratio!r}: give a share above 0, at most 1')
    points = []
    for layer in layers:
        for ratio in ratios:
            for nonlinearity in nonlinearities:
                draws = [
                    _draw(layer, nonlinearity, ratio, seed + number) for number in range(networks)
                ]
                rank = sum(draw.ratio for draw in draws) / networks
                effective = sum(draw.effective / draw.width for draw in draws) / networks
                points.append(MeanRank(layer, nonlinearity, ratio, rank, effective))
    return points


def _draw(layer: str, nonlinearity: str, ratio: float, seed: int) -> FeatureRank:
    random = torch.Generator().manual_seed(seed)
    width = int(torch.randint(WIDTHS[0], WIDTHS[1] + 1, (), generator=random))
    count, *size = MAPS
    x = torch.randn(count, max(1, round(ratio * width)), *size, generator=random)
    with torch.no_grad():
        output = LAYERS[layer](x, width, NONLINEARITIES[nonlinearity], random)
    return rank_of(output.transpose(0, 1).flatten(1).T)
