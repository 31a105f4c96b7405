"""Building a head's losses from its config, with rexdense's losses instead of mmseg's."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import nn

from rexdense.errors import InvalidArgument, UnknownName, suggest
from rexdense.models.losses.arguments import require_loss_name
from rexdense.models.losses.cross_entropy import CrossEntropyLoss
from rexdense.models.losses.focal import FocalLoss
from rexdense.models.losses.lovasz import LovaszLoss
from rexdense.models.losses.regions import DiceLoss, TverskyLoss
from rexdense.models.losses.silog import SiLogLoss
from rexdense.registry import MODELS


class _Counterpart(NamedTuple):
    """A substitute for a loss of mmseg: the class, the arguments of mmseg's loss of which only one
    value is supported, and the differing defaults."""

    kind: type[nn.Module]
    fixed: Mapping[str, Any] = {}
    defaults: Mapping[str, Any] = {}


_COUNTERPARTS = {
    'CrossEntropyLoss': _Counterpart(
        CrossEntropyLoss, {'use_mask': False}, {'avg_non_ignore': False}
    ),
    'DiceLoss': _Counterpart(DiceLoss, {'activate': True}),
    'FocalLoss': _Counterpart(FocalLoss, {'use_sigmoid': True}),
    'LovaszLoss': _Counterpart(LovaszLoss),
    'SiLogLoss': _Counterpart(SiLogLoss),
    'TverskyLoss': _Counterpart(TverskyLoss),
}
_OF_HOSTS = ('mmcv', 'mmdet', 'mmengine', 'mmseg', 'rexdense', 'torch')


def build_losses(
    loss_decode: Mapping[str, Any] | Sequence[Mapping[str, Any]], allowed: tuple[type, ...]
) -> nn.ModuleList:
    """Build the losses that configs describe.

    If a loss of mmseg has a counterpart in rexdense, the counterpart is built with mmseg's
    defaults. Other losses of the OpenMMLab packages do not compare outputs with labels or depth,
    and are refused. Losses of other packages are built as they are.

    Args:
        loss_decode: The config of one loss, or of several.
        allowed: The kinds of rexdense's losses that are allowed.

    Raises:
        UnknownName: no class has this name.
        InvalidArgument: there is no loss, a class is not an allowed loss, or an argument is out of
            range.
    """
    configs = [loss_decode] if isinstance(loss_decode, Mapping) else loss_decode
    if (
        not isinstance(configs, Sequence)
        or not configs
        or not all(isinstance(config, Mapping) and 'type' in config for config in configs)
    ):
        raise InvalidArgument(
            f'loss_decode={loss_decode!r}: give dict(type=..., ...), or a list of at least one'
        )
    return nn.ModuleList(_build(dict(config), allowed) for config in configs)


def _build(config: dict[str, Any], allowed: tuple[type, ...]) -> nn.Module:
    kind, usable = _registered(config), ', '.join(_names(allowed))
    if kind is None:
        raise UnknownName(f'no loss is called {config["type"]!r}: there are {usable}')
    if getattr(kind, '__module__', '').split('.')[0] not in _OF_HOSTS:
        return _own_loss(config)
    name = kind.__name__
    if kind.__module__.startswith('mmseg.') and name in _COUNTERPARTS:
        counterpart = _COUNTERPARTS[name]
        kind = counterpart.kind
        config = {**counterpart.defaults, **_without_fixed(name, config, counterpart.fixed)}
    if not isinstance(kind, type) or not issubclass(kind, allowed):
        raise InvalidArgument(
            f'{config["type"]} is no loss that this head can have: there are {usable}'
        )
    arguments = {key: value for key, value in config.items() if key not in ('type', '_scope_')}
    known = inspect.signature(kind).parameters
    for key in arguments:
        if key not in known:
            raise InvalidArgument(
                f'{name} takes no {key!r}: {suggest(key, known)} (_delete_=True beside type clears '
                'the arguments of an inherited loss)'
            )
    return kind(**arguments)


def _registered(config: Mapping[str, Any]) -> Any:
    """Return the class that the config's ``type`` names; None if there is none."""
    if not isinstance(config['type'], str):
        return config['type']
    with MODELS.switch_scope_and_registry(config.get('_scope_')) as registry:
        try:
            return registry.get(config['type'])
        except RuntimeError:  # mmengine tries to import an unknown name as a module
            return None


def _own_loss(config: dict[str, Any]) -> nn.Module:
    loss = MODELS.build(config)
    if not isinstance(loss, nn.Module) or not hasattr(loss, 'loss_name'):
        raise InvalidArgument(
            f'{config["type"]} is no loss: it must be a torch.nn.Module with a loss_name'
        )
    require_loss_name(loss.loss_name)
    return loss


def _without_fixed(name: str, config: dict, fixed: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in fixed.items():
        if config.get(key, value) != value:
            raise InvalidArgument(
                f'{key}={config[key]!r} of {name}: a head gives logits and labels, for which only '
                f'{value} works'
            )
    return {key: value for key, value in config.items() if key not in fixed}


def _names(allowed: tuple[type, ...]) -> list[str]:
    """Return the names of the losses of the allowed kinds."""
    kinds = {each.kind for each in _COUNTERPARTS.values()} | set(allowed)
    return sorted(
        f'rexdense.{kind.__name__}'
        for kind in kinds
        if issubclass(kind, allowed) and kind.__name__ in MODELS.module_dict
    )
