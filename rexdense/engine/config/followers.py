"""Values in a model's config that depend on its backbone: channels, names and strides of levels."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import ConfigDict

from rexdense.arch import (
    FeatureLevel,
    architecture,
    architecture_by_rule,
    resolve_out_indices,
    rule_arguments,
)
from rexdense.engine.config.load import class_name, walk
from rexdense.errors import InvalidArgument
from rexdense.models.backbones.backbone import Backbone
from rexdense.registry import MODELS

# Necks whose outputs have the strides of their inputs, and twice the last stride for each extra
# output.
_PYRAMIDS = ('FPN', 'FPN_CARAFE', 'PAFPN')
_DEFAULT_LEVELS = (1, 2, 3, 4)
_ALL_LEVELS = (0, 1, 2, 3, 4)


def backbone_levels(model: ConfigDict) -> list[FeatureLevel] | None:
    """Return the output levels of a backbone of rexdense; None for any other backbone.

    Raises:
        UnknownName: no backbone has that name.
        InvalidArgument: its arguments are out of range.
    """
    backbone = model.get('backbone') or {}
    family = class_of_backbone(backbone)
    if family is None:
        return None
    overrides, arch = _overrides(backbone, family), backbone.get('arch')
    found = (
        architecture(arch, **overrides)
        if arch is not None
        else architecture_by_rule(family.rule, **overrides)
    )
    levels = found.with_output_stride(backbone.get('output_stride', 32)).levels
    return [levels[index] for index in _out_indices(backbone)]


def follow_channels(model: ConfigDict, before: ConfigDict) -> None:
    """Update the channels of necks and heads that had those of another backbone; raises as
    :func:`backbone_levels`.

    Args:
        model: The section, which is changed.
        before: The section with the backbone for which it was written.
    """
    old, new = backbone_levels(before), backbone_levels(model)
    if not old or not new:
        return
    old, new = ([level.channels for level in levels] for levels in (old, new))
    for section in _sections_but_backbone(model):
        for key in ('in_channels', 'out_channels'):
            value = section.get(key)
            # SSD's heads and necks continue after the levels of the backbone.
            if isinstance(value, (list, tuple)) and list(value[: len(old)]) == old:
                section[key] = type(value)([*new, *value[len(old) :]])
        if 'arch' in section and str(section.get('type')).startswith('rexdense.'):
            _follow_by_name(section, model.backbone, before.backbone)
    if not model.get('neck'):
        for key in ('decode_head', 'auxiliary_head', 'rpn_head', 'bbox_head', 'roi_head'):
            for head in walk(model.get(key)):
                _follow_by_index(head, old, new)


def follow_pyramid_channels(model: ConfigDict) -> list[str]:
    """Set the input channels of a feature pyramid to those of its levels, in case only the backbone
    was changed. Return sentences about the changes."""
    levels, neck = backbone_levels(model), model.get('neck')
    if not levels or not isinstance(neck, dict) or class_name(neck) not in _PYRAMIDS:
        return []
    wanted, stated = [level.channels for level in levels], neck.get('in_channels')
    if not isinstance(stated, (list, tuple)) or list(stated) == wanted:
        return []
    neck.in_channels = wanted
    return [f'in_channels of {class_name(neck)} {wanted} instead of {list(stated)}']


def follow_strides(model: ConfigDict) -> list[str]:
    """Set the strides of anchors, points, RoI extractors and FPN heads to those of the levels they
    read, if these are known. Return sentences about the changes. Raise InvalidArgument for a
    feature pyramid whose levels are not ordered from fine to coarse."""
    levels, neck = backbone_levels(model), model.get('neck')
    if not levels:
        return []
    strides, said = [level.stride for level in levels], []
    if neck:
        if not isinstance(neck, dict) or class_name(neck) not in _PYRAMIDS:
            return []
        if strides != sorted(strides):
            raise InvalidArgument(
                f'model.backbone.out_indices={_out_indices(model.backbone)}: a feature pyramid '
                f'goes from fine to coarse; give {sorted(_out_indices(model.backbone))}'
            )
        strides = _pyramid_strides(neck, strides, said)
    for section in _sections_but_backbone(model):
        for key, wanted in _strides_of(section, strides):
            stated = [each[0] if isinstance(each, (list, tuple)) else each for each in section[key]]
            if stated == wanted:
                continue
            if key == 'featmap_strides' and stated:
                finest = section.get('finest_scale', 56)
                section.finest_scale = finest * wanted[0] // stated[0]
            section[key] = wanted
            said.append(f'{key} of {class_name(section)} {wanted} instead of {stated}')
    return said


def _sections_but_backbone(node: Any) -> Iterator[ConfigDict]:
    """Yield the sections of a model, without the backbone and without branches such as HTC's for
    semantic segmentation, which read their own map."""
    if isinstance(node, dict):
        yield node
        for key, part in node.items():
            if key != 'backbone' and not str(key).startswith('semantic'):
                yield from _sections_but_backbone(part)
    elif isinstance(node, (list, tuple)):
        for part in node:
            yield from _sections_but_backbone(part)


def class_of_backbone(backbone: dict) -> type[Backbone] | None:
    """Return the class of a backbone of rexdense by its section; None for any other backbone."""
    name = backbone.get('type')
    if not isinstance(name, str) or not name.startswith('rexdense.'):
        return None
    family = MODELS.get(name)
    return family if isinstance(family, type) and issubclass(family, Backbone) else None


def _overrides(backbone: dict, family: type[Backbone]) -> dict[str, Any]:
    return {key: backbone[key] for key in rule_arguments(family.rule) if key in backbone}


def _out_indices(backbone: dict) -> tuple[int, ...]:
    return resolve_out_indices(backbone.get('out_indices', _DEFAULT_LEVELS))


def _follow_by_name(head: ConfigDict, backbone: ConfigDict, before: ConfigDict) -> None:
    """Update a head that reads levels by the name of the backbone."""
    if head.arch != before.get('arch') or backbone.get('arch') is None:
        return
    head.arch = backbone.arch
    overrides = _overrides(backbone, class_of_backbone(backbone))
    if overrides or 'overrides' in head:
        head.overrides = overrides
    if backbone.get('output_stride', 32) != before.get('output_stride', 32):
        head.output_stride = backbone.get('output_stride', 32)
    if resolve_out_indices(head.get('out_indices', _ALL_LEVELS)) == _out_indices(before):
        head.out_indices = _out_indices(backbone)


def _follow_by_index(head: ConfigDict, old: list[int], new: list[int]) -> None:
    """Update the channels of a head that reads the backbone directly, and its index if it reads the
    deepest level."""
    stated, index = head.get('in_channels'), head.get('in_index', -1)
    if isinstance(index, (list, tuple)) and list(index) == list(range(len(old))):
        head.in_index = list(range(len(new)))
    elif isinstance(index, int) and -len(old) <= index < len(old) and stated == old[index]:
        if index == len(old) - 1 != len(new) - 1:
            head.in_index = index = len(new) - 1
        if -len(new) <= index < len(new):
            head.in_channels = new[index]
    if head.get('c1_in_channels') == old[0]:
        head.c1_in_channels = new[0]


def _pyramid_strides(neck: ConfigDict, strides: list[int], said: list[str]) -> list[int]:
    """Return the strides of a pyramid's outputs; it must have at least one output per level."""
    first, last = neck.get('start_level', 0), neck.get('end_level', -1)
    if last not in (-1, len(strides) - 1):
        return strides[first : last + 1]
    outputs, strides = neck.get('num_outs', len(strides)), strides[first:]
    if outputs < len(strides):
        said.append(f'num_outs of {class_name(neck)} {len(strides)} instead of {outputs}')
        neck.num_outs = outputs = len(strides)
    further = range(1, outputs - len(strides) + 1)
    return [*strides, *(strides[-1] * 2**place for place in further)]


def _strides_of(section: dict, strides: list[int]) -> Iterator[tuple[str, list[int]]]:
    """Yield the stride keys of a section with their correct values."""
    kind = class_name(section)
    if isinstance(section.get('strides'), Sequence) and ('Generator' in kind or 'Head' in kind):
        yield 'strides', strides
    if isinstance(section.get('featmap_strides'), Sequence):
        yield 'featmap_strides', strides[: len(section['featmap_strides'])]
    if isinstance(section.get('feature_strides'), Sequence):
        places = section.get('in_index', range(len(section['feature_strides'])))
        if all(0 <= place < len(strides) for place in places):
            yield 'feature_strides', [strides[place] for place in places]
