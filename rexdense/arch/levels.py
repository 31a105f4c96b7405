"""Feature levels, and the description of a network that the rules of all families return."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from rexdense.arch.checks import is_integer, require_one_of, require_sequence
from rexdense.errors import InvalidArgument

LEVELS = 5
"""Number of feature levels, c1 to c5."""
OUTPUT_STRIDES = (8, 16, 32)
POOL_PADDINGS = ('symmetric', 'same')


class FeatureLevel(NamedTuple):
    """A feature level of a backbone: its name (c1 to c5), channels, and stride (input pixels per
    feature pixel)."""

    name: str
    channels: int
    stride: int


class BlockSpec(Protocol):
    """Interface of the blocks in an :class:`Architecture`: a frozen dataclass of a family."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def out_channels(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def dilation(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class MaxPoolSpec:
    """A 3x3 max-pooling with stride 2 in place of a block; it has no parameters.

    Args:
        padding: 'symmetric' pads by 1 on every side. MindSpore's 'same' pads an even size by 1 only
            below and on the right.

    Raises:
        InvalidArgument: another padding.
    """

    out_channels: int
    padding: str = 'symmetric'
    stride: int = 2
    dilation: int = 1

    def __post_init__(self):
        require_one_of('pool_padding', self.padding, POOL_PADDINGS)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network as data: a stem with stride 2, then a stage of blocks for each level c1 to c5.

    A stage may be empty. RegNet and ResNeXt have no block at stride 2, so their c1 is the stem's
    output.

    Attributes:
        family: 'rexnet', 'rexnet_lite', 'regnet' or 'resnext'.
        classifier_widths: Channels between c5 and the logits, see
            :class:`rexdense.models.classifier.ClassificationHead`.
    """

    family: str
    stem_channels: int
    stages: tuple[tuple[BlockSpec, ...], ...]
    classifier_widths: tuple[int, ...] = ()

    @property
    def levels(self) -> tuple[FeatureLevel, ...]:
        """The five feature levels, with channels and strides accumulated over the blocks."""
        levels = []
        channels, stride = self.stem_channels, 2
        for index, blocks in enumerate(self.stages, start=1):
            for block in blocks:
                channels, stride = block.out_channels, stride * block.stride
            levels.append(FeatureLevel(f'c{index}', channels, stride))
        return tuple(levels)

    def with_output_stride(self, output_stride: int) -> 'Architecture':
        """Return the network with dilation instead of the strides beyond ``output_stride``.

        The block that loses its stride keeps the dilation of the blocks before it. The blocks after
        it take the larger dilation (Chen et al. 2017, "Rethinking Atrous Convolution", section
        3.1). So at every second pixel, a convolution reads the same inputs as in the strided
        network.

        Raises:
            InvalidArgument: ``output_stride`` is not 8, 16 or 32.
        """
        if not is_integer(output_stride) or output_stride not in OUTPUT_STRIDES:
            raise InvalidArgument(f'output_stride={output_stride!r}: allowed are 8, 16 and 32')
        stride, dilation, stages = 2, 1, []
        for blocks in self.stages:
            kept = []
            for block in blocks:
                if stride * block.stride <= output_stride:
                    stride *= block.stride
                    kept.append(dataclasses.replace(block, dilation=dilation))
                else:
                    kept.append(dataclasses.replace(block, stride=1, dilation=dilation))
                    dilation *= block.stride
            stages.append(tuple(kept))
        return dataclasses.replace(self, stages=tuple(stages))


def group_by_level(blocks: Sequence[BlockSpec]) -> tuple[tuple[BlockSpec, ...], ...]:
    """Split the blocks after a stem with stride 2 into the stages c1 to c5.

    A block with stride 2 starts the next stage.
    """
    stages: list[list[BlockSpec]] = [[]]
    for block in blocks:
        if block.stride == 2:
            stages.append([])
        stages[-1].append(block)
    assert len(stages) == LEVELS, 'a rule must end at stride 32'
    return tuple(tuple(stage) for stage in stages)


def resolve_out_indices(out_indices: Sequence[int]) -> tuple[int, ...]:
    """Return ``out_indices`` in the given order, with negative ones counted from the deepest level.

    Raises:
        InvalidArgument: the list is empty, or has an unknown level, or a level twice.
    """
    wanted, resolved = require_sequence('out_indices', out_indices, '(1, 2, 3, 4)'), []
    for index in wanted:
        if not is_integer(index) or not -LEVELS <= index < LEVELS:
            raise InvalidArgument(
                f'out_indices={wanted}: {index!r} is no level; allowed are 0 to '
                f'{LEVELS - 1} (c1 to c{LEVELS}), or -{LEVELS} to -1 counted from the deepest'
            )
        resolved.append(int(index) % LEVELS)
    if len(set(resolved)) != len(resolved):
        raise InvalidArgument(f'out_indices={wanted}: a level is named twice; name each once')
    return tuple(resolved)
