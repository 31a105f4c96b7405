"""Resuming a run from one of its checkpoints with the settings of the present config.

mmengine restores the optimizer's settings and the schedule of the checkpoint, and so overrides
requested changes. Here the checkpoint provides what was learnt (weights, averages, moments of the
optimizer) and the position of the run. Learning rates, weight decays and schedules are those of the
config at that step.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from rexdense.engine.resume.checkpoints import facts_of_run
from rexdense.engine.resume.loops import PlacedEpochLoop
from rexdense.engine.resume.optimizers import resume_optimizers
from rexdense.engine.resume.state import RUN, foreign, take_run_state


def take_last_weights(runner: Any, checkpoint: dict[str, Any]) -> None:
    """Set the last weights as a checkpoint's ``state_dict`` if the run resumes without the stored
    average, and log this.

    mmengine's EMAHook swaps the two when it saves, and swaps them back when it loads
    (hooks/ema_hook.py). Without the hook in the config, they are not swapped back.

    Raises:
        CheckpointUnreadable: there is an average, but no last weights.
    """
    averaged = any(isinstance(hook, EMAHook) for hook in runner.hooks)
    if averaged or 'ema_state_dict' not in checkpoint:
        return
    before = 'module.'
    with foreign(runner, 'ema_state_dict'):
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
    """Bring a runner, whose model has the checkpoint's weights, to the position of the checkpoint.

    Args:
        optimizer: Restore the moments of the optimizer.
        schedule: Bring the schedule to that step.

    Raises:
        CheckpointMismatch: the moments are those of another optimizer or of other parameter groups.
        CheckpointUnreadable: the position of the run is missing, or its state has another form.
    """
    meta = facts_of_run(checkpoint, runner._load_from)
    _resume_seed(runner, meta.get('seed'))
    with foreign(runner, RUN if RUN in checkpoint else 'message_hub'):
        length = _epoch_length(checkpoint)
    _resume_position(runner, meta['epoch'], meta['iter'], length)
    if RUN in checkpoint:
        _tell_other_batches(runner, length)
    if 'message_hub' in checkpoint:
        with foreign(runner, 'message_hub'):
            runner.message_hub.load_state_dict(checkpoint['message_hub'])
    resume_optimizers(runner, checkpoint, optimizer, schedule)
    if RUN in checkpoint:
        with foreign(runner, RUN):
            take_run_state(runner, checkpoint[RUN])


def _resume_seed(runner: Any, stored: int | None) -> None:
    """Use the seed of the run, unless another was requested."""
    if stored is None:
        return
    asked = runner._randomness_cfg.get('seed')
    if asked is None:
        runner.set_randomness(**{**runner._randomness_cfg, 'seed': stored})
        # The loop was built with a random seed.
        loop = runner.train_loop
        drawn = [getattr(loop, 'seeds', None), loop.dataloader.sampler]
        drawn.append(getattr(loop.dataloader.batch_sampler, 'sampler', None))
        for each in drawn:
            if hasattr(each, 'seed'):
                each.seed = stored
    elif asked != stored:
        runner.logger.info(f'seed {asked} from here on; the run began with {stored}')


def _epoch_length(checkpoint: Mapping[str, Any]) -> int | None:
    """Return the steps per epoch in the run of a checkpoint; None if they are unknown."""
    if RUN in checkpoint:
        return int(checkpoint[RUN]['epoch_length'])
    # As stored by mmengine's RuntimeInfoHook (hooks/runtime_info_hook.py).
    noted = checkpoint.get('message_hub', {}).get('runtime_info', {})
    epochs, iterations = noted.get('max_epochs'), noted.get('max_iters')
    return int(iterations) // int(epochs) if epochs and iterations else None


def _resume_position(runner: Any, epoch: int, iteration: int, length: int | None) -> None:
    """Set the position of the training loop.

    Args:
        epoch: Number of finished epochs.
        iteration: Number of finished steps.
        length: Steps per epoch in the run of the checkpoint; None if they are unknown.
    """
    loop = runner.train_loop
    if isinstance(loop, EpochBasedTrainLoop):
        present = len(loop.dataloader)
        length = length or present
        # The epoch of a run that counted iterations is unknown.
        begun = iteration - epoch * length
        begun = begun if 0 <= begun <= length else 0
        if length != present and begun:
            said, begun = f'{begun} of {length}', begun * present // length
            runner.logger.warning(
                f'the checkpoint was saved after {said} steps of epoch {epoch + 1}, which has '
                f'{present} steps here: the run goes on after {begun} of them, and some images of '
                'that epoch may be used twice or left out'
            )
        elif epoch * present + begun != iteration:
            runner.logger.info(
                f'epoch {epoch} was saved at step {iteration}, and is step {epoch * present} with '
                f'{present} steps an epoch: the schedule goes by the epoch'
            )
        if isinstance(loop, PlacedEpochLoop):
            loop.begun = begun
        elif begun:
            runner.logger.warning(
                f'{type(loop).__name__} begins epochs with their first batch: the {begun} steps of '
                f'epoch {epoch + 1} that were made are made again'
            )
            begun = 0
        iteration = epoch * present + begun
    loop._epoch, loop._iter = epoch, iteration


def _tell_other_batches(runner: Any, length: int) -> None:
    """Log if a run that counts iterations resumes with another number of images per step.

    Args:
        length: Steps per pass over the data in the run of the checkpoint.
    """
    loop = runner.train_loop
    if isinstance(loop, IterBasedTrainLoop) and length != len(loop.dataloader):
        runner.logger.warning(
            f'a pass over the data was {length} steps, and is {len(loop.dataloader)} here: the run '
            f'goes on as after {loop.iter} of these, and some images may be used twice or left out'
        )
