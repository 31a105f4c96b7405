"""Scaling of the learning rate with the number of images per step."""

import inspect
import math
from collections.abc import Iterator

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.registry import OPTIMIZERS

from rexdense.arch.checks import is_number
from rexdense.engine.config.load import class_name, walk
from rexdense.errors import InvalidArgument

_LOWEST = ('eta_min', 'min_value')
_RATES = (*_LOWEST, 'eta_max')
"""Absolute rates among the arguments of mmengine's schedulers (optim/scheduler/param_scheduler.py);
all others are shares of the optimizer's rate."""


def set_learning_rate(config: Config, given: float | None) -> str:
    """Set the given learning rate, or scale the config's with the number of images per step; return
    a sentence about the choice.

    SGD's rate is scaled linearly (Goyal et al. 2017, section 2.1), that of Adam and its variants by
    the square root (Malladi et al. 2022, section 4.1), because their steps do not grow with the
    gradient. ``auto_scale_lr.base_batch_size`` in the config states the images per step for which
    its rate is meant. Absolute rates in the schedule, such as ``eta_min``, keep their ratio to the
    rate.

    Raises:
        InvalidArgument: the config has no optimizer, its rate is no number, or its schedule would
            raise the rate where it should fall.
    """
    wrapper = config.optim_wrapper
    optimizer = wrapper.get('optimizer')
    if not isinstance(optimizer, dict):
        raise InvalidArgument(
            'optim_wrapper of the config has no section optimizer, whose learning rate is set '
            "here: give one, such as optimizer=dict(type='AdamW', lr=0.001)"
        )
    kind, stated = class_name(optimizer), optimizer.get('lr')
    if stated is not None and not is_number(stated):
        raise InvalidArgument(
            f'optim_wrapper.optimizer.lr={stated!r}: give a number, such as 0.001'
        )
    batch = (
        config.train_dataloader.batch_size
        * get_world_size()
        * wrapper.get('accumulative_counts', 1)
    )
    scaling = config.get('auto_scale_lr') or {}
    base = scaling.get('base_batch_size') if scaling.get('enable', True) else None
    # mmengine would scale the rate again.
    config.pop('auto_scale_lr', None)
    if given:
        optimizer.lr = given
        how = 'as given'
    elif stated is None:
        _require_below(config, _own_rate(optimizer))
        return f'Learning rate as {kind} has it, {batch} images a step: the config states none'
    elif base and base != batch:
        is_adam = 'Adam' in kind
        optimizer.lr = stated * (math.sqrt(batch / base) if is_adam else batch / base)
        how = (
            f"the config's {stated:g} for {base} images a step, scaled "
            f'{"by the square root" if is_adam else "in proportion"}'
        )
    else:
        how = 'as in the config'
    if stated:
        _scale_schedule(config, optimizer.lr / stated)
    _require_below(config, optimizer.lr)
    return f'Learning rate {optimizer.lr:.3g} for {batch} images a step, {kind}: {how}'


def _schedulers(config: Config) -> Iterator[dict]:
    """Yield the sections of the learning-rate schedulers."""
    for section in walk(config.get('param_scheduler')):
        if 'Momentum' not in str(section.get('type')):
            yield section


def _scale_schedule(config: Config, factor: float) -> None:
    for section in _schedulers(config):
        for key in _RATES:
            value = section.get(key)
            if isinstance(value, list | tuple):
                section[key] = [each * factor for each in value]
            elif value:
                section[key] = value * factor


def _require_below(config: Config, rate: float) -> None:
    for section in _schedulers(config):
        for key in _LOWEST:
            value = section.get(key)
            if isinstance(value, int | float) and value > rate:
                raise InvalidArgument(
                    f'{key}={value:.3g} of {section.get("type")} in param_scheduler is above the '
                    f'learning rate {rate:.3g}, which would rise to it: give a lower {key}, or a '
                    'higher rate (--lr)'
                )


def _own_rate(optimizer: dict) -> float:
    """Return the rate that an optimizer has where a config states none; infinity where that is not
    known."""
    kind = optimizer.get('type')
    made = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    rate = inspect.signature(made).parameters.get('lr') if callable(made) else None
    return rate.default if rate is not None and is_number(rate.default) else math.inf
