"""Hook that checks that anchors, points and RoI extractors have the strides of their features."""

import math
from collections.abc import Iterator, Sequence

from mmengine.hooks import Hook
from torch import Tensor, nn

from rexdense.device import bare_model
from rexdense.errors import InvalidArgument
from rexdense.registry import HOOKS

SMALLEST_SIZE = 4
"""The stride of maps smaller than this cannot be determined."""
MOST_APART = 1.5
"""Convolutions without padding shrink maps by less than this factor."""


@HOOKS.register_module()
class CheckStrides(Hook):
    """Compare the feature map sizes of the first batch with the strides in the heads.

    This works for every neck and backbone, also those that
    :func:`rexdense.engine.config.followers.follow_strides` does not know.

    Raises:
        InvalidArgument: the strides differ, so that boxes would be at wrong positions.
    """

    def before_train(self, runner) -> None:
        """Register the check for the first batch."""
        _watch(bare_model(runner.model))

    def before_test(self, runner) -> None:
        """Register the check for the first batch."""
        _watch(bare_model(runner.model))


def _watch(model: nn.Module) -> None:
    backbone = getattr(model, 'backbone', None)
    last = getattr(model, 'neck', None) or backbone
    stated = list(_stated_strides(model))
    if not isinstance(last, nn.Module) or not stated:
        return
    size = {}

    def note_size(module: nn.Module, inputs: tuple) -> None:
        size['image'] = inputs[0].shape[-2:]

    def compare(module: nn.Module, inputs: tuple, features: Sequence[Tensor]) -> None:
        first.remove()
        second.remove()
        maps = [tuple(feature.shape[-2:]) for feature in features]
        for name, strides, of_all in stated:
            _require_fitting(name, strides, maps, size['image'], of_all)

    first = backbone.register_forward_pre_hook(note_size)
    second = last.register_forward_hook(compare)


def _stated_strides(model: nn.Module) -> Iterator[tuple[str, list[int], bool]]:
    """Yield the name of each part with strides, the strides, and whether they are those of all
    maps."""
    for name, module in model.named_modules():
        # Branches with their own map, such as HTC's.
        if 'semantic' in name:
            continue
        generator = getattr(module, 'prior_generator', None)
        if isinstance(getattr(generator, 'strides', None), (list, tuple)):
            yield f'{name}.prior_generator', [_number(each) for each in generator.strides], True
        if isinstance(getattr(module, 'featmap_strides', None), (list, tuple)):
            yield name, list(module.featmap_strides), False


def _number(stride: int | Sequence[int]) -> int:
    return stride[0] if isinstance(stride, (list, tuple)) else stride


def _require_fitting(
    name: str, strides: list[int], maps: list[tuple], image: Sequence[int], of_all: bool
) -> None:
    if len(strides) > len(maps) or (of_all and len(strides) != len(maps)):
        raise InvalidArgument(
            f'model.{name} states {len(strides)} strides {strides}, and there are {len(maps)} '
            'feature maps: state a stride for each'
        )
    for stride, found in zip(strides, maps, strict=False):
        expected = [math.ceil(length / stride) for length in image]
        for wanted, length in zip(expected, found, strict=True):
            few, many = sorted((wanted, length))
            if few >= SMALLEST_SIZE and many > few * MOST_APART:
                actual = [round(image[0] / rows) for rows, _ in maps[: len(strides)]]
                raise InvalidArgument(
                    f'model.{name} states the strides {strides}, the feature maps have about '
                    f'{actual}: boxes would lie at wrong places; state those'
                )
