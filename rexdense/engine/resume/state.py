"""The state of a run that mmengine's checkpoints do not have: of each process, and of hooks."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import EarlyStoppingHook, EMAHook, Hook
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from rexdense.device import bare_model
from rexdense.engine.resume.loops import PlacedLoop
from rexdense.errors import CheckpointUnreadable, RexdenseError

RUN = 'rexdense_run'
"""Key in a checkpoint."""

_COUNTERS = ('wait_count', 'best_score')
"""Counters of mmengine's EarlyStoppingHook (hooks/early_stopping_hook.py, lines 69-70)."""


@contextlib.contextmanager
def foreign(runner: Any, part: str) -> Iterator[None]:
    """Restore a part of a checkpoint, which can contain anything.

    Raises:
        CheckpointUnreadable: it cannot be restored.
    """
    try:
        yield
    except RexdenseError:
        raise
    except Exception as error:
        raise CheckpointUnreadable(
            f'{part} in {runner._load_from} is none that rexdense train has written '
            f'({type(error).__name__}: {" ".join(str(error).split())[:200]}): begin a new run from '
            'its weights with --load-from'
        ) from error


def run_state(runner: Any) -> dict[str, Any]:
    """Return the state of a run in all its processes, which all must call this.

    ``processes`` has a dictionary for each process: the gradients accumulated since the last
    optimizer step; its buffers, such as batch norm statistics, which differ between processes; and
    the buffers of the average (EMA). The buffers of the first process are among the weights.
    """
    loop = runner.train_loop
    own = {'gradients': _gradients(runner)}
    if not is_main_process():
        own['buffers'] = _on_cpu(bare_model(runner.model).named_buffers())
        average = _average_of(runner)
        if average is not None:
            own['average'] = _on_cpu(average.named_buffers())
    return {
        'validated': bool(getattr(loop, 'validated', True)),
        'epoch_length': len(loop.dataloader),
        'batches_of_a_step': _batches_of_a_step(runner),
        'processes': all_gather_object(own) if runner.distributed else [own],
        'hooks': _states_of_hooks(runner),
    }


def take_run_state(runner: Any, state: Mapping[str, Any]) -> None:
    """Restore the state of a run in a runner at the position of a checkpoint."""
    loop = runner.train_loop
    if isinstance(loop, PlacedLoop):
        loop.validated = bool(state['validated'])
    for name, hook in _counting_hooks(runner):
        if name in state['hooks']:
            _take(hook, state['hooks'][name])
            if _has_stopped(hook):
                loop.stop_training = True
    processes = state['processes']
    if len(processes) != runner.world_size:
        runner.logger.warning(
            f'the run had {len(processes)} processes and goes on with {runner.world_size}: the '
            'images of a step and its random numbers are others'
        )
        return
    own, model = processes[runner.rank], bare_model(runner.model)
    parameters = dict(model.named_parameters())
    counts = _batches_of_a_step(runner)
    gradients = own['gradients']
    if state.get('batches_of_a_step', counts) != counts:
        # The stored gradients are scaled for a step of another number of batches.
        gradients = {}
        runner.logger.info(
            'gradients of batches not yet stepped with are left out: the run adds '
            'up another number of batches from here on'
        )
    for name, gradient in gradients.items():
        # In the memory layout of the weight, which affects the summation of their norm.
        parameters[name].grad = torch.empty_like(parameters[name]).copy_(gradient)
    _fill(model, own.get('buffers', {}))
    average = _average_of(runner)
    if average is not None:
        _fill(average, own.get('average', {}))


def _batches_of_a_step(runner: Any) -> list[int]:
    """Return the number of batches whose gradients each optimizer accumulates for a step."""
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    return [each._accumulative_counts for each in wrappers]


def _gradients(runner: Any) -> dict[str, Tensor]:
    """Return the accumulated gradients; there are none after a step."""
    if set(_batches_of_a_step(runner)) == {1}:
        return {}
    named = bare_model(runner.model).named_parameters()
    return _on_cpu((name, each.grad) for name, each in named if each.grad is not None)


def _on_cpu(named: Any) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in named}


def _fill(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    buffers = dict(module.named_buffers())
    for name, tensor in tensors.items():
        buffers[name].copy_(tensor)


def _average_of(runner: Any) -> nn.Module | None:
    """Return the averaged model, if the run keeps one."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            return hook.ema_model
    return None


def _counting_hooks(runner: Any) -> list[tuple[str, Hook]]:
    """Return the hooks with a state of their own, by names that are the same in a resumed run."""
    found = [
        hook
        for hook in runner.hooks
        if isinstance(hook, EarlyStoppingHook)
        or (hasattr(hook, 'state_dict') and hasattr(hook, 'load_state_dict'))
    ]
    return [(f'{type(hook).__name__}_{number}', hook) for number, hook in enumerate(found)]


def _states_of_hooks(runner: Any) -> dict[str, Any]:
    return {
        name: {key: getattr(hook, key) for key in _COUNTERS}
        if isinstance(hook, EarlyStoppingHook)
        else hook.state_dict()
        for name, hook in _counting_hooks(runner)
    }


def _take(hook: Any, state: Mapping[str, Any]) -> None:
    if isinstance(hook, EarlyStoppingHook):
        for key in _COUNTERS:
            setattr(hook, key, state[key])
    else:
        hook.load_state_dict(state)


def _has_stopped(hook: Hook) -> bool:
    """Return whether a hook has ended its run, and would end it again with its present settings."""
    if not isinstance(hook, EarlyStoppingHook):
        return False
    least, best = hook.stopping_threshold, hook.best_score
    return hook.wait_count >= hook.patience or bool(
        least is not None and hook.rule_map[hook.rule](best, least)
    )


class KeepRunState(Hook):
    """Add the state of a run to its checkpoints, and record that a validation is done."""

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.state: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the gathered state of all processes; the best checkpoints have none. Remove the
        functions that mmengine's OneCycleLR keeps: no file with them can be read again."""
        if self.state is not None:
            checkpoint[RUN] = self.state
        schedulers = checkpoint.get('param_schedulers') or []
        # A dictionary of lists where several optimizers have their own.
        groups = schedulers.values() if isinstance(schedulers, Mapping) else [schedulers]
        for state in itertools.chain.from_iterable(groups):
            for key in [key for key, value in state.items() if callable(value)]:
                del state[key]

    def after_val(self, runner: Any) -> None:
        """Record that the validation is done."""
        if isinstance(runner._train_loop, PlacedLoop):
            runner.train_loop.validated = True
