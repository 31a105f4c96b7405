"""Optimizer and schedule of a resumed run: moments of the checkpoint, learning rates of the
config."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop

from rexdense.engine.resume.state import RUN, foreign
from rexdense.engine.schedule import replay
from rexdense.engine.zero import kind_of, param_groups_of
from rexdense.errors import CheckpointMismatch, InvalidArgument

# Attributes that mmengine's schedulers change as they step (optim/scheduler/param_scheduler.py).
_PROGRESS = (
    *('_global_step', '_last_value', 'last_step'),
    *('best', 'cooldown_counter', 'num_bad_epochs'),
)


def resume_optimizers(
    runner: Any, checkpoint: Mapping[str, Any], optimizer: bool, schedule: bool
) -> None:
    """Build the optimizer and the schedule of the config, and bring them to the runner's position.

    Args:
        optimizer: Restore the moments of the optimizer.
        schedule: Bring the schedule to that step.

    Raises:
        CheckpointMismatch, CheckpointUnreadable: as for
            :func:`rexdense.engine.resume.continuing.continue_run`.
    """
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    if 'optimizer' not in checkpoint:
        runner.logger.warning('the checkpoint holds no state of the optimizer, which starts anew')
    with foreign(runner, 'optimizer'):
        optimizers = list(_optimizers(runner, checkpoint))
    for wrapper, schedulers, stored, states in optimizers:
        if optimizer and stored:
            with foreign(runner, 'optimizer'):
                _resume_moments(wrapper, stored)
        if schedule:
            _resume_schedule(runner, wrapper, schedulers, stored, states)
        if RUN not in checkpoint:
            _tell_lost_gradients(runner, wrapper)
    rates = ', '.join(f'{rate:.3g}' for rate in _base_rates(runner.optim_wrapper))
    runner.logger.info(
        f'resumed epoch: {runner.epoch}, iter: {runner.iter}; learning rate there: {rates}'
    )


def _optimizers(
    runner: Any, checkpoint: Mapping[str, Any]
) -> Iterator[tuple[OptimWrapper, list, dict | None, list]]:
    """Yield each optimizer with its schedulers, its stored state and their stored states."""
    stored, states = checkpoint.get('optimizer'), checkpoint.get('param_schedulers') or []
    if not isinstance(runner.optim_wrapper, OptimWrapperDict):
        yield runner.optim_wrapper, runner.param_schedulers or [], stored, states
        return
    for name, wrapper in runner.optim_wrapper.items():
        schedulers = (runner.param_schedulers or {}).get(name, [])
        yield wrapper, schedulers, (stored or {}).get(name), (states or {}).get(name, [])


def _resume_moments(wrapper: OptimWrapper, stored: Mapping[str, Any]) -> None:
    """Restore the moments, but not the settings."""
    kind = kind_of(wrapper.optimizer).__name__
    ours = param_groups_of(wrapper.optimizer)
    sizes, before = (
        [len(group['params']) for group in groups] for groups in (ours, stored['param_groups'])
    )
    if sizes != before:
        raise CheckpointMismatch(
            f'the checkpoint has its parameters in {len(before)} groups, the {kind} of this config '
            f'in {len(sizes)}, so its moments cannot be told apart: resume with the paramwise_cfg '
            'of the run, or begin a new one from its weights with --load-from'
        )
    needed, found = _kept_by_a_step(wrapper.optimizer, stored['state'])
    if needed != found:
        raise CheckpointMismatch(
            f'the checkpoint holds {", ".join(sorted(found)) or "nothing"} of each parameter, '
            f'the {kind} of this config needs {", ".join(sorted(needed)) or "nothing"}: resume '
            'with the optimizer of the run, or begin a new one from its weights with --load-from'
        )
    kept = {key: value for key, value in stored.items() if key != 'base_param_settings'}
    wrapper.load_state_dict({**kept, 'param_groups': ours})


def _kept_by_a_step(
    optimizer: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Any]]
) -> tuple[set[str], set[str]]:
    """Return the names in an optimizer's state of a parameter after a step, and the stored
    names."""
    places = [
        (group, parameter) for group in optimizer.param_groups for parameter in group['params']
    ]
    stored = next((index for index in state if index < len(places)), None)
    if stored is None:
        return set(), set()
    group, parameter = places[stored]
    probe = torch.nn.Parameter(torch.zeros_like(parameter))
    probe.grad = torch.zeros_like(probe)
    settings = {key: value for key, value in group.items() if key != 'params'}
    trial = kind_of(optimizer)([{**settings, 'params': [probe]}])
    trial.step()
    kept = {key for key, value in trial.state[probe].items() if value is not None}
    return kept, {key for key, value in state[stored].items() if value is not None}


def _resume_schedule(
    runner: Any,
    wrapper: OptimWrapper,
    schedulers: list,
    stored: Mapping[str, Any] | None,
    states: list,
) -> None:
    """Bring the learning rates to the runner's position."""
    if any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):
        # Their effect depends on metrics. The stored rates give the share of the initial ones.
        with foreign(runner, 'param_schedulers'):
            _resume_by_share(wrapper, schedulers, stored, states)
        return
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    length = len(runner.train_dataloader) if by_epoch else 0
    replay(schedulers, runner.iter, runner.epoch if by_epoch else 0, length)


def _resume_by_share(
    wrapper: OptimWrapper, schedulers: list, stored: Mapping[str, Any] | None, states: list
) -> None:
    if stored is None or len(states) != len(schedulers):
        raise InvalidArgument(
            'param_scheduler has one that follows a metric, and the checkpoint does not hold the '
            'state of each: resume with the schedule of the run'
        )
    for scheduler, state in zip(schedulers, states, strict=True):
        scheduler.load_state_dict({key: state[key] for key in _PROGRESS if key in state})
    before = [*stored['param_groups']]
    if 'base_param_settings' in stored:
        before.append(stored['base_param_settings'])
    for group, old in zip(wrapper.param_groups, before, strict=False):
        if 'initial_lr' in group and old.get('initial_lr'):
            same = group['initial_lr'] == old['initial_lr']
            share = 1 if same else group['initial_lr'] / old['initial_lr']
            group['lr'] = old['lr'] * share


def _tell_lost_gradients(runner: Any, wrapper: OptimWrapper) -> None:
    """Log if a run was stopped between two steps of an optimizer with gradient accumulation, by a
    version of rexdense whose checkpoints do not have the accumulated gradients."""
    counts = wrapper._accumulative_counts
    lost = runner.iter % counts
    if lost:
        runner.logger.warning(
            f'the gradients of {lost} of {counts} batches were not yet stepped with at iteration '
            f'{runner.iter} and are lost: the first step is made from the other {counts - lost}; '
            f'an interval between checkpoints that is a multiple of {counts} iterations loses none'
        )


def _base_rates(wrapper: OptimWrapper) -> list[float]:
    """Return the learning rate of each optimizer as the log shows it."""
    if isinstance(wrapper, OptimWrapperDict):
        return [rate for part in wrapper.values() for rate in _base_rates(part)]
    return [wrapper.param_groups[-1]['lr']]
