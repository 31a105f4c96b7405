"""A training step of a detector or segmentor, with rexdense's or another project's backbone."""

import logging
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hooks import EMAHook
from mmengine.optim import build_optim_wrapper
from torch import nn

from rexdense.benchmark.memory import bytes_kept
from rexdense.benchmark.workloads.detector import build_model
from rexdense.benchmark.workloads.drawn_batch import OBJECTS, drawn_batch, require_drawable
from rexdense.benchmark.workloads.network import synchronise, take_turn
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.load import class_name, load_config
from rexdense.engine.cpu_steps import build_fused, lay_out_weights
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument
from rexdense.registry import HOOKS

_FACTOR = 1e-3
"""Factor on the learning rate, as at the start of a warm-up, so that the work stays the same."""


class _Step:
    """A step on one batch: preprocessing, losses, backward pass, optimizer, moving averages.

    Attributes:
        facts: ``kept``, the bytes that the forward pass keeps for the backward pass.
    """

    def __init__(self, config: Config, task: dict[str, Any]) -> None:
        self._name, self._device = config.filename, task['device']
        self._batch = drawn_batch(config, task['shape'], task.get('objects') or OBJECTS)
        self._model = build_model(config, task['framework'], training=True)
        self._model.to(self._device).train()
        quick = task.get('as_trained') and self._device == 'cpu'
        if quick:
            lay_out_weights(self._model)
        self._wrapper = _optim_wrapper(config, self._model, quick)
        self._averages = [_average(hook, self._model) for hook in _averaging_hooks(config)]
        inputs = self._model.data_preprocessor(self._batch, True)
        kept = bytes_kept(self._model, inputs['inputs'], inputs['data_samples'], 'loss')
        self.facts = dict(kept=kept)

    def run(self) -> float:
        """Return the milliseconds of a step."""
        return take_turn(self._step)

    def _step(self) -> None:
        losses = self._model.train_step(self._batch, self._wrapper)
        loss = float(losses['loss'].detach())
        if not math.isfinite(loss):
            raise InvalidArgument(f'{self._name}: the loss is {loss} with random weights')
        for hook in self._averages:
            hook.ema_model.update_parameters(self._model)
        synchronise(self._device)


def prepare(task: dict[str, Any]) -> _Step:
    """Return the step of a task, ready to be timed.

    Args:
        task: ``name`` is a config; ``framework`` is 'rexdense', or the project whose backbone
            replaces rexdense's; ``as_trained`` takes the step of rexdense's runner instead of
            mmengine's; ``objects`` are drawn in each image.
    """
    config = load_config(task['name'])
    import_scope(config)
    with config_faults():
        return _Step(config, task)


def build_trained(name: str, shape: Sequence[int]) -> nn.Module:
    """Return the model of a config if its training steps can be timed with images of a shape.

    Raises:
        InvalidArgument: they cannot.
    """
    config = load_config(name)
    import_scope(config)
    require_drawable(config, shape)
    return build_model(config)


def _optim_wrapper(config: Config, model: nn.Module, quick: bool) -> Any:
    wrapper: ConfigDict = config.get('optim_wrapper')
    if not wrapper or 'optimizer' not in wrapper:
        raise InvalidArgument(f'{config.filename} has no optim_wrapper with one optimizer')
    if 'lr' in wrapper.optimizer:
        wrapper.optimizer.lr *= _FACTOR

    def build(given: Any) -> Any:
        # Hide the log line for each parameter, which would come before the table.
        logging.disable(logging.INFO)
        try:
            return build_optim_wrapper(model, ConfigDict(given))
        finally:
            logging.disable(logging.NOTSET)

    return build_fused(build, wrapper) if quick else build(wrapper)


def _averaging_hooks(config: Config) -> list[ConfigDict]:
    hooks = config.get('custom_hooks') or []
    return [hook for hook in hooks if class_name(hook) == 'EMAHook']


def _average(section: ConfigDict, model: nn.Module) -> EMAHook:
    hook = HOOKS.build(section)
    hook.before_run(SimpleNamespace(model=model))
    return hook
