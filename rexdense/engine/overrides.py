"""Single values of a config, set from a command line."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from rexdense.arch import channels
from rexdense.engine.config import walk
from rexdense.errors import UnknownName, suggest

__all__ = ['override']


def override(config: Config, assignments: dict[str, Any]) -> None:
    """Set dotted keys of a config, such as ``model.backbone.arch``.

    All parts of a key must be there, apart from the last one below the top level, which may be a
    new argument, and from sections that classes take but configs seldom state (``init_cfg``). Where
    the backbone changes, ``in_channels`` that were its channels and the ``arch`` of a head follow.

    Raises:
        UnknownName: a part of a key does not exist, or the backbone's new name.
    """
    for key in assignments:
        node: Any = config._cfg_dict
        parts = key.split('.')
        for place, part in enumerate(parts[:-1]):
            node = _step(node, part, key, may_be_new=place > 0 and part.endswith('_cfg'))
        if len(parts) == 1 or not isinstance(node, dict):
            _step(node, parts[-1], key, may_be_new=False)
    before, name = _backbone_channels(config), _backbone(config).get('arch')
    config.merge_from_dict(assignments)
    after = _backbone_channels(config)
    if before and after:
        for section in walk(config.model):
            if list(_as_sequence(section.get('in_channels'))) == before:
                section.in_channels = after
            if section.get('arch') == name:
                section.arch = _backbone(config).arch


def _step(node: Any, part: str, key: str, may_be_new: bool) -> Any:
    """Return what lies at ``part`` of a node, an empty section where it may be new."""
    if isinstance(node, (list, tuple)):
        if not part.isdigit() or int(part) >= len(node):
            raise UnknownName(
                f'--cfg-options {key}: {part!r} is no index into a list of {len(node)}'
            )
        return node[int(part)]
    if not isinstance(node, dict):
        raise UnknownName(f'--cfg-options {key}: what {part!r} is looked for in is a value: {node}')
    if node.get(part) is None and may_be_new:
        node[part] = ConfigDict()
    if part not in node:
        raise UnknownName(
            f'--cfg-options {key}: the config has no {part!r} there; {suggest(part, node)}'
        )
    return node[part]


def _backbone(config: Config) -> dict:
    return (config.get('model') or {}).get('backbone') or {}


def _backbone_channels(config: Config) -> list[int] | None:
    """Return the channels that a backbone of rexdense hands on; None for any other."""
    backbone = _backbone(config)
    if not str(backbone.get('type')).startswith('rexdense.') or 'arch' not in backbone:
        return None
    return channels(backbone.arch, backbone.get('out_indices', (1, 2, 3, 4)))


def _as_sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
