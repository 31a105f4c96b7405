"""Feature levels, and the description of a network that every family's rule ends in."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from rexdense.arch.checks import is_integer, require_one_of, require_sequence
from rexdense.errors import InvalidArgument

OUTPUT_STRIDES = (8, 16, 32)
POOL_PADDINGS = ('symmetric', 'same')


class FeatureLevel(NamedTuple):
    """One tap of a backbone: its name (c1 to c5), channels, and stride (input pixels per feature
    pixel)."""

    name: str
    channels: int
    stride: int


class BlockSpec(Protocol):
    """Interface of a family's block, a frozen dataclass, that :class:`Architecture` reads."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def out_channels(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def dilation(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class MaxPoolSpec:
    """A 3x3 max-pooling of stride 2 in the place of a block; it has no parameters.

    Args:
        padding: 'symmetric' pads by 1 on every side; 'same' is MindSpore's: it pads an even size by
            1 below and right only.

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
    """A network as data: a stem of stride 2, then a stage of blocks for each level c1 to c5.

    A stage may be empty: RegNet and ResNeXt have no block at stride 2, so that the stem's output is
    their c1.

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
        """The five feature levels, channels and strides accumulated from the blocks."""
        levels = []
        channels, stride = self.stem_channels, 2
        for index, blocks in enumerate(self.stages, start=1):
            for block in blocks:
                channels, stride = block.out_channels, stride * block.stride
            levels.append(FeatureLevel(f'c{index}', channels, stride))
        return tuple(levels)

    def with_output_stride(self, output_stride: int) -> 'Architecture':
        """Return the network with strides past ``output_stride`` replaced by dilation.

        The block that loses its stride keeps the dilation of the blocks before it, the later ones
        take the larger one (Chen et al. 2017, "Rethinking Atrous Convolution", section 3.1): on
        every second pixel a convolution then reads the inputs that it read in the strided network.

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
    """Split the blocks after a stem of stride 2 into the stages c1 to c5.

    A block of stride 2 opens the next stage.
    """
    stages: list[list[BlockSpec]] = [[]]
    for block in blocks:
        if block.stride == 2:
            stages.append([])
        stages[-1].append(block)
    assert len(stages) == 5, 'a rule must end at stride 32'
    return tuple(tuple(stage) for stage in stages)


def resolve_out_indices(out_indices: Sequence[int], levels: int = 5) -> tuple[int, ...]:
    """Return ``out_indices`` with negatives counted from the deepest level, in the order given;
    raise InvalidArgument where the list is empty, or names a level that does not exist, or one
    twice."""
    wanted, resolved = require_sequence('out_indices', out_indices, '(1, 2, 3, 4)'), []
    for index in wanted:
        if not is_integer(index) or not -levels <= index < levels:
            raise InvalidArgument(
                f'out_indices={wanted}: {index!r} is no level; allowed are 0 to '
                f'{levels - 1} (c1 to c{levels}), or -{levels} to -1 counted from the deepest'
            )
        resolved.append(int(index) % levels)
    if len(set(resolved)) != len(resolved):
        raise InvalidArgument(f'out_indices={wanted}: a level is named twice; name each once')
    return tuple(resolved)
