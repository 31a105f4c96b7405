"""Normalisation layers: construction from a config, small batches, low memory."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.forward_ad import unpack_dual
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from rexdense.arch.checks import (
    require_flag,
    require_norm_cfg,
    require_positive,
    require_positive_integer,
    require_ratio,
)
from rexdense.errors import InvalidArgument, suggest
from rexdense.models.layers.activations import silu
from rexdense.models.layers.known_norm import norm_silu
from rexdense.models.layers.recompute import is_replayed
from rexdense.models.layers.recording import has_hooks, may_overwrite, records_eagerly

MINIMUM_POOLED_BATCH = 16


def _batch_norm(channels: int, pooled: bool, **options: Any) -> nn.Module:
    return nn.BatchNorm2d(channels, **options)


def _sync_batch_norm(channels: int, pooled: bool, **options: Any) -> nn.Module:
    return nn.SyncBatchNorm(channels, **options)


def _group_norm(channels: int, pooled: bool, num_groups: int = 32, **options: Any) -> nn.Module:
    # A pooled map has one value per channel, so only all channels together can be normalised.
    groups = 1 if pooled else _largest_divisor(channels, num_groups)
    return nn.GroupNorm(groups, channels, **options)


def _largest_divisor(channels: int, limit: int) -> int:
    return next(groups for groups in range(min(limit, channels), 0, -1) if channels % groups == 0)


NORMS: dict[str, Callable[..., nn.Module]] = {
    'BN': _batch_norm,
    'SyncBN': _sync_batch_norm,
    'GN': _group_norm,
}


def build_norm(norm_cfg: dict, channels: int, pooled: bool = False) -> nn.Module:
    """Return a normalisation layer for ``channels`` channels.

    Args:
        norm_cfg: ``type`` is 'BN', 'SyncBN' or 'GN'. ``requires_grad`` (True) sets whether scale
            and shift are trained. The other options go to the layer. GN's ``num_groups`` (32) is
            lowered to the nearest divisor of the channels, which are rarely multiples of 32 here.
        pooled: The input is (N, C, 1, 1), to which :func:`normalise_pooled` applies the layer.

    Raises:
        InvalidArgument: an unknown ``type``, or an option that the layer does not accept.
    """
    options = require_norm_cfg(norm_cfg)
    kind = options.pop('type', None)
    requires_grad = options.pop('requires_grad', True)
    if not isinstance(kind, str) or kind not in NORMS:
        raise InvalidArgument(f'norm_cfg type {kind!r}: {suggest(str(kind), NORMS)}')
    require_flag('norm_cfg requires_grad', requires_grad)
    _check_options(options)
    try:
        norm = NORMS[kind](channels, pooled, **options)
    except TypeError as error:
        raise InvalidArgument(f'norm_cfg={norm_cfg}: {error}') from error
    return norm.requires_grad_(requires_grad)


def _check_options(options: dict[str, Any]) -> None:
    checks = {
        'eps': require_positive,
        'num_groups': require_positive_integer,
        'affine': require_flag,
        'track_running_stats': require_flag,
    }
    if options.get('momentum') is not None:
        checks['momentum'] = require_ratio
    for option, check in checks.items():
        if option in options:
            check(f'norm_cfg {option}', options[option])


def normalise_pooled(norm: nn.Module, x: Tensor) -> Tensor:
    """Normalise globally pooled values (N, C, 1, 1) so that small batches train well.

    The batch statistics of such values come from N numbers per channel. They are noisy for few
    images, and torch refuses to train on one image. So a training batch with fewer than
    ``MINIMUM_POOLED_BATCH`` images is normalised with the running statistics, which do not change.
    Larger batches, evaluation and other kinds of normalisation work as usual, except that processes
    do not share statistics: if they disagreed on whether a batch is small, some would wait forever.
    """
    if isinstance(norm, _BatchNorm) and isinstance(x, Tensor):
        if norm.training and norm.track_running_stats and x.shape[0] < MINIMUM_POOLED_BATCH:
            return _by_running_statistics(norm, x)
        if isinstance(norm, nn.SyncBatchNorm):
            return _BatchNorm.forward(norm, x)
    return norm(x)


def accept_single_values(model: nn.Module) -> list[RemovableHandle]:
    """Make the batch norms of other projects in a model train on a single value per channel, too,
    such as the smallest map of an SSD for one image. As in :func:`normalise`, they then use the
    running statistics, which do not change; torch refuses such maps. Return the handles of the
    hooks that do this."""
    handles = []
    for part in model.modules():
        if type(part).__module__.startswith('rexdense.'):
            continue
        for norm in part.children():
            if type(norm) is nn.BatchNorm2d:
                handles.append(norm.register_forward_pre_hook(_rest_at_a_single_value))
                # Also if a recomputation ends within the norm.
                handles.append(norm.register_forward_hook(_train_again, always_call=True))
    return handles


def _is_refused(norm: nn.Module, x: Tensor) -> bool:
    """Return whether torch refuses to train a batch norm on a map, of one value per channel."""
    return (
        norm.training
        and type(norm) is nn.BatchNorm2d
        and norm.track_running_stats
        and isinstance(x, Tensor)  # no proxy of torch.fx
        and x.numel() == x.shape[1]
    )


def _by_running_statistics(norm: nn.Module, x: Tensor) -> Tensor:
    return F.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )


def _rest_at_a_single_value(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if _is_refused(norm, inputs[0]):
        norm.training, norm.rests = False, True


def _train_again(norm: nn.Module, *_: Any) -> None:
    if norm.__dict__.pop('rests', False):
        norm.training = True


def normalise(
    norm: nn.Module,
    x: Tensor,
    activation: Callable[[Tensor], Tensor] | None = None,
    source: nn.Module | None = None,
) -> Tensor:
    """Return ``activation(norm(x))`` for a feature map (N, C, H, W).

    If ``source`` has just computed the map and nothing else needs it, a batch norm in evaluation
    mode overwrites the map. Autograd keeps ``x`` and the result, but not ``norm(x)``. On a single
    value per channel, a batch norm in training uses the running statistics.
    """
    if _is_refused(norm, x):
        x = _by_running_statistics(norm, x)
    elif _overwrites(source, norm, x):
        x = _batch_norm_in_place(norm, x)
    elif activation is silu and _keeps_little(norm, x):
        return norm_silu(norm, x)
    else:
        x = norm(x)
    return x if activation is None else activation(x)


def _keeps_little(norm: nn.Module, x: Tensor) -> bool:
    return (
        type(norm) is nn.BatchNorm2d
        and not is_replayed()
        and records_eagerly(x)
        and x.requires_grad
        and not has_hooks(norm)
    )


def _overwrites(source: nn.Module | None, norm: nn.Module, x: Tensor) -> bool:
    # On a CPU, touching new memory costs more than the normalisation. Layers of other types may
    # return their input, or another dtype.
    return (
        type(source) is nn.Conv2d
        and type(norm) is nn.BatchNorm2d
        and not norm.training
        and norm.running_mean is not None
        and may_overwrite()
        and type(x) is Tensor
        and x.device.type == 'cpu'
        and x.dtype == norm.running_mean.dtype
        and not _is_watched(source, norm, x)
    )


def _is_watched(source: nn.Module, norm: nn.Module, x: Tensor) -> bool:
    """Return whether hooks, torch.func or forward-mode autograd see the layers' outputs."""
    return (
        has_hooks(source, norm)
        or torch._C._functorch.is_functorch_wrapped_tensor(x)
        or unpack_dual(x).tangent is not None
    )


def _batch_norm_in_place(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    statistics = x.new_empty(0), x.new_empty(0)  # not written in evaluation mode
    arguments = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    torch.native_batch_norm(x, *arguments, False, 0.0, norm.eps, out=(x, *statistics))
    return x
