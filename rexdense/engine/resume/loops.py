"""Training loops that can stop after any step and resume there.

mmengine's loops begin each epoch with its first batch. After a resume, they skip a validation that
was pending when the checkpoint was saved (runner/loops.py, lines 93-118 and 271-310).
"""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import EMAHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from rexdense.engine.resume.places import Seeds, follow_places
from rexdense.engine.resume.saving import save_step
from rexdense.engine.resume.stopping import RunStopped, StopAsked, agreed, arriving


class PlacedLoop:
    """The base of both loops.

    Attributes:
        begun: Number of finished batches in the current epoch; 0 in runs that count iterations.
        validated: Whether the validation that may be due after the last step is done.
        endless: Whether each pass over the data is followed by another.
    """

    endless: bool

    def __init__(self, runner: Any, dataloader: DataLoader | dict, **settings: Any) -> None:
        if isinstance(dataloader, dict):
            apart = runner._randomness_cfg.get('diff_rank_seed', False)
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=apart)
        self.begun, self.validated = 0, True
        self.seeds = Seeds(runner.seed or 0, runner.rank)
        self.batches = follow_places(dataloader, self.seeds, self.endless)
        super().__init__(runner, dataloader, **settings)

    def run(self) -> nn.Module:
        """Train, beginning with the validation that is still due.

        Raises:
            RunStopped: the run was asked to stop; what is learnt is saved.
        """
        # There is nothing to save yet, and its checks may take long: a signal ends the program.
        self.runner.call_hook('before_train')
        with self.runner.stop_signals:
            try:
                self._make_steps()
            except StopAsked as stop:
                raise RunStopped(stop.number, self._iter, save_step(self.runner)) from None
            self.runner.call_hook('after_train')
        return self.runner.model

    def _make_steps(self) -> None:
        """Make the steps that are left, and their validations.

        Raises:
            StopAsked: the run is asked to stop.
        """
        raise NotImplementedError

    def _begin_batches(self, done: int) -> None:
        """Make the loader skip the finished batches."""
        if self.batches is not None:
            self.batches.epoch, self.batches.done = self._epoch, done

    def _recall_step(self, epoch: int) -> None:
        """Set the position that metrics read to what it is after a step: that step, not the next
        one."""
        self.runner.message_hub.update_info_dict(dict(epoch=epoch, iter=self._iter - 1))

    def _after_step(self) -> None:
        """Save a checkpoint if one is due, and stop the run if requested.

        Raises:
            StopAsked: it was asked for.
        """
        saver = self.runner.step_saver
        number, due = agreed(self.runner, self.runner.stop_signals.number, saver.is_due(self._iter))
        if due:
            save_step(self.runner)
            saver.saved()
        if number:
            raise StopAsked(number)

    def _validate(self, is_due: bool) -> None:
        """Validate if due. A run that is asked to stop during the validation is saved in the state
        before it."""
        if self.runner.val_loop is None or not is_due:
            return
        if self.runner.distributed:
            # A process that stops during a validation cannot wait for the others to save.
            save_step(self.runner)
        self.seeds.seed_between(self._iter)
        try:
            self.runner.val_loop.run()
        except StopAsked:
            for hook in self.runner.hooks:
                if isinstance(hook, EMAHook):
                    # Restores the model's own weights.
                    hook.after_val_epoch(self.runner)
            raise


class PlacedEpochLoop(PlacedLoop, EpochBasedTrainLoop):
    """mmengine's loop over epochs, which resumes after the last finished batch."""

    endless = False

    def _make_steps(self) -> None:
        if not self.validated and not self.begun:
            self._recall_step(self._epoch - 1)
            self._validate_after_epoch()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_after_epoch()

    def run_epoch(self) -> None:
        """Train the rest of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        begun = self.begun
        self._begin_batches(begun)
        arrived = arriving(self.runner, iter(self.dataloader))
        for number, data_batch in enumerate(arrived, begun):
            self.run_iter(number, data_batch)
        if self.begun == begun:
            # The run was stopped between the last step of the epoch and its end.
            self._recall_step(self._epoch)
        self.begun = 0
        self.seeds.seed_between(self._iter)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Train one step."""
        self.seeds.seed_step(self._epoch, idx)
        self.validated = False
        super().run_iter(idx, data_batch)
        self.begun = idx + 1
        self._after_step()

    def _validate_after_epoch(self) -> None:
        self._decide_current_val_interval()
        self._validate(
            self._epoch >= self.val_begin
            and (self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)
        )


class PlacedIterationLoop(PlacedLoop, IterBasedTrainLoop):
    """mmengine's loop over iterations, which resumes after the last finished batch."""

    endless = True

    def _make_steps(self) -> None:
        self.runner.call_hook('before_train_epoch')
        if not self.validated:
            self._recall_step(self._epoch)
            self._validate_after_step()
        if self.batches is not None:
            self._begin_batches(self._iter)
            self.dataloader_iterator = iter(self.dataloader)
        arrived = arriving(self.runner, self.dataloader_iterator)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(arrived))
            self._validate_after_step()
        self.runner.call_hook('after_train_epoch')

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """Train one step."""
        self.seeds.seed_step(self._epoch, self._iter)
        self.validated = False
        super().run_iter(data_batch)
        self._after_step()

    def _validate_after_step(self) -> None:
        self._decide_current_val_interval()
        self._validate(
            self._iter >= self.val_begin
            and (self._iter % self.val_interval == 0 or self._iter == self._max_iters)
        )


_PLACED = {EpochBasedTrainLoop: PlacedEpochLoop, IterBasedTrainLoop: PlacedIterationLoop}


def placed_type(section: dict[str, Any]) -> dict[str, Any]:
    """Return the ``train_cfg`` of a config with the loop of this module instead of mmengine's.
    Other loops are unchanged.

    Example:
        >>> placed_type(dict(type='EpochBasedTrainLoop', max_epochs=2))['type'].__name__
        'PlacedEpochLoop'
    """
    if 'by_epoch' in section and 'type' not in section:
        kind = EpochBasedTrainLoop if section['by_epoch'] else IterBasedTrainLoop
        section = {key: value for key, value in section.items() if key != 'by_epoch'}
    else:
        kind = section.get('type')
    for theirs, ours in _PLACED.items():
        if kind in (theirs, theirs.__name__, f'mmengine.{theirs.__name__}'):
            return {**section, 'type': ours}
    return section
