"""Going on with a run from one of its checkpoints, as its config says at this moment.

mmengine puts back the optimizer's settings and the schedule of the checkpoint, over all that was
asked for. Here the checkpoint gives what was learnt (weights, averages, moments of the optimizer)
and where the run stands; rates, decays and schedules are those of the config at that step.
"""

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop

from rexdense.engine.schedule import replay
from rexdense.engine.work_dir import facts_of_run, find_checkpoint, run_meta
from rexdense.errors import (
    CheckpointMismatch,
    CheckpointUnreadable,
    InvalidArgument,
    RexdenseError,
)

__all__ = ['choose_resumed', 'continue_run', 'take_last_weights']

_MOST_FAULTS = 3
# What changes in mmengine's schedulers as they step (optim/scheduler/param_scheduler.py).
_PROGRESS = (
    *('_global_step', '_last_value', 'last_step'),
    *('best', 'cooldown_counter', 'num_bad_epochs'),
)


def choose_resumed(config: Config, options: argparse.Namespace) -> None:
    """Set in a config which checkpoint its run goes on from, and the seed of that run, which also
    orders the data, where none was asked for.

    That is the newest whole one of the work directory; with ``resume`` in the config, but without
    ``--resume``, the file that ``load_from`` names, if it names one.

    Raises:
        InvalidArgument: there is no whole checkpoint.
        CheckpointUnreadable: the file that was named is none.
    """
    named = config.get('load_from')
    if named and not options.resume:
        meta, said = run_meta(named), ''
    else:
        found, faults = find_checkpoint(config.work_dir)
        if found is None:
            detail = f' that is whole ({"; ".join(faults[:_MOST_FAULTS])})' if faults else ''
            raise InvalidArgument(
                f'--resume: no checkpoint{detail} in {config.work_dir}; leave --resume out to '
                'start, or name the folder with --work-dir'
            )
        meta, said = found.meta, found.said
        if named:
            said = f'{said}; ' if said else ''
            said += f'{named} is not loaded, since the run goes on from {found.path}'
        if faults:
            said = f'{said} ({"; ".join(faults[:_MOST_FAULTS])})'
        config.load_from = str(found.path)
    config.resume = True
    randomness = config.get('randomness') or {}
    if randomness.get('seed') is None and meta.get('seed') is not None:
        config.randomness = dict(randomness, seed=meta['seed'])
    if said and is_main_process():
        print(said)


def take_last_weights(runner: Any, checkpoint: dict[str, Any]) -> None:
    """Give a checkpoint its last weights as ``state_dict``, where the run goes on without the
    average that stands there, and say so.

    mmengine's EMAHook swaps the two when it saves, and swaps them back when it loads
    (hooks/ema_hook.py); nobody does where the config has none.

    Raises:
        CheckpointUnreadable: there is an average, but no last weights.
    """
    averaged = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    if averaged or 'ema_state_dict' not in checkpoint:
        return
    before = 'module.'
    with _foreign(runner, 'ema_state_dict'):
        last = {
            key.removeprefix(before): tensor
            for key, tensor in checkpoint.pop('ema_state_dict').items()
            if key.startswith(before)
        }
    checkpoint['state_dict'] = last
    runner.logger.info(
        'resumed from the last weights, not from their average (EMA): the config has no EMAHook'
    )


def continue_run(
    runner: Any, checkpoint: Mapping[str, Any], optimizer: bool = True, schedule: bool = True
) -> None:
    """Bring a runner, whose model has the checkpoint's weights, to where the checkpoint was saved.

    Args:
        optimizer: Take over the moments of the optimizer.
        schedule: Bring the schedule to that step.

    Raises:
        CheckpointMismatch: its moments are those of another optimizer or of other parameter groups.
        CheckpointUnreadable: it does not say where the run stands, or what it holds of the run is
            something else.
    """
    meta = facts_of_run(checkpoint, runner._load_from)
    _resume_seed(runner, meta.get('seed'))
    with _foreign(runner, 'message_hub'):
        length = _epoch_length(checkpoint)
    _resume_position(runner, meta['epoch'], meta['iter'], length)
    if 'message_hub' in checkpoint:
        with _foreign(runner, 'message_hub'):
            runner.message_hub.load_state_dict(checkpoint['message_hub'])
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner.param_schedulers is not None:
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    if 'optimizer' not in checkpoint:
        runner.logger.warning('the checkpoint holds no state of the optimizer, which starts anew')
    with _foreign(runner, 'optimizer'):
        optimizers = list(_optimizers(runner, checkpoint))
    for wrapper, schedulers, stored, states in optimizers:
        if optimizer and stored:
            with _foreign(runner, 'optimizer'):
                _resume_moments(wrapper, stored)
        if schedule:
            _resume_schedule(runner, wrapper, schedulers, stored, states)
        _tell_lost_gradients(runner, wrapper)
    rates = ', '.join(f'{rate:.3g}' for rate in _base_rates(runner.optim_wrapper))
    runner.logger.info(
        f'resumed epoch: {runner.epoch}, iter: {runner.iter}; learning rate there: {rates}'
    )


@contextlib.contextmanager
def _foreign(runner: Any, part: str) -> Iterator[None]:
    """Take a part of a checkpoint, in which anything can lie.

    Raises:
        CheckpointUnreadable: it cannot be taken.
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


def _resume_seed(runner: Any, stored: int | None) -> None:
    """Take the seed of the run, where none was asked for."""
    if stored is None:
        return
    asked = runner._randomness_cfg.get('seed')
    if asked is None:
        runner.set_randomness(**{**runner._randomness_cfg, 'seed': stored})
    elif asked != stored:
        runner.logger.info(f'seed {asked} from here on; the run began with {stored}')


def _epoch_length(checkpoint: Mapping[str, Any]) -> int | None:
    """Return how many steps an epoch had in the run of a checkpoint, None if it does not say, as
    mmengine's RuntimeInfoHook notes it (hooks/runtime_info_hook.py)."""
    noted = checkpoint.get('message_hub', {}).get('runtime_info', {})
    epochs, iterations = noted.get('max_epochs'), noted.get('max_iters')
    return int(iterations) // int(epochs) if epochs and iterations else None


def _resume_position(runner: Any, epoch: int, iteration: int, length: int | None) -> None:
    """Set where the training loop stands; an epoch is gone through from its beginning.

    Args:
        epoch: The epochs that were ended.
        iteration: The steps that were made.
        length: The steps of an epoch in the run of the checkpoint, None if they are not known.
    """
    loop = runner.train_loop
    if isinstance(loop, EpochBasedTrainLoop):
        length = length or len(loop.dataloader)
        begun = iteration - epoch * length
        if begun == length:
            # Saved at an epoch's last step, before the epoch was counted.
            epoch, begun = epoch + 1, 0
        if 0 < begun < length:
            runner.logger.warning(
                f'the checkpoint was saved in epoch {epoch + 1}, after {begun} of its {length} '
                f'batches: the run goes on from the beginning of that epoch and trains on these '
                f'{begun} again; checkpoints of whole epochs '
                '(default_hooks.checkpoint.by_epoch=True) repeat none'
            )
            iteration -= begun
        at_epoch = epoch * len(loop.dataloader)
        if at_epoch != iteration:
            runner.logger.info(
                f'epoch {epoch} was saved at step {iteration}, and is step {at_epoch} with '
                f'{len(loop.dataloader)} steps an epoch: the schedule goes by the epoch'
            )
        iteration = at_epoch
    loop._epoch, loop._iter = epoch, iteration


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
    """Take over the moments, not the settings."""
    kind = type(wrapper.optimizer).__name__
    ours = wrapper.optimizer.state_dict()['param_groups']
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
    """Return the names of an optimizer's state of a parameter after a step, and the stored ones."""
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
    trial = type(optimizer)([{**settings, 'params': [probe]}])
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
    """Bring the rates to where the run stands."""
    if any(getattr(scheduler, 'need_val_args', False) for scheduler in schedulers):
        # What they did follows from metrics: of the stored rates, the share of the initial ones.
        with _foreign(runner, 'param_schedulers'):
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
            group['lr'] = group['initial_lr'] * old['lr'] / old['initial_lr']


def _tell_lost_gradients(runner: Any, wrapper: OptimWrapper) -> None:
    """Say so where a run was cut between two steps of an optimizer that adds up gradients: no
    checkpoint holds those that were added up since the last step."""
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
