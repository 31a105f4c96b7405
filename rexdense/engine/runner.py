"""mmengine's Runner with a readable terminal log, strict weights and intact checkpoints."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, is_main_process, master_only
from mmengine.runner import BaseLoop
from torch import nn

from rexdense.checkpoint import install_safe_loader
from rexdense.checkpoint.details import hidden_options
from rexdense.device import as_process_lost
from rexdense.engine.building import BuildingRunner
from rexdense.engine.config.formatted import FormattedOnce
from rexdense.engine.dataloaders import as_lost_worker, end_passes, end_stuck_processes
from rexdense.engine.hooks.histories import ShortHistories
from rexdense.engine.hooks.same_data import RequireSameData
from rexdense.engine.hooks.same_tensors import RequireSameTensors, backbone_of
from rexdense.engine.hooks.saved_tensors import SavePlainTensors
from rexdense.engine.resume.checkpoints import is_checkpoint_name, require_readable
from rexdense.engine.resume.choice import first_process_checkpoint
from rexdense.engine.resume.continuing import continue_run
from rexdense.engine.resume.full_disk import DiskWait
from rexdense.engine.resume.hashes import list_hash
from rexdense.engine.resume.saving import StepSaver
from rexdense.engine.resume.state import KeepRunState, run_state
from rexdense.engine.resume.stopping import EndLeaving, LeaveValidation, StopSignals
from rexdense.engine.scope import import_scope
from rexdense.engine.work_dir import take_run_folder
from rexdense.engine.zero import gather_moments
from rexdense.errors import UnwritableFile
from rexdense.files.destinations import disk_errors_as_unwritable
from rexdense.files.writing import atomic_write, path_written_aside
from rexdense.models.layers.normalisation import accept_single_values


class Runner(BuildingRunner):
    """mmengine's Runner for rexdense's programs.

    Attributes:
        stop_signals: Whether a signal asks the run to stop.
        step_saver: Timing of checkpoints between those of the schedule.
        last_saved: The file of the last checkpoint from which the run can resume; None before.
    """

    def __init__(self, *args, **settings) -> None:
        install_safe_loader()
        self.stop_signals, self.step_saver = StopSignals(), StepSaver()
        self.disk = DiskWait(lambda: bool(self.stop_signals.number))
        self.last_saved: Path | None = None
        self._last_place: tuple | None = None
        if isinstance(settings.get('cfg'), Config):
            settings['cfg'] = FormattedOnce.of(settings['cfg'])
        super().__init__(*args, **settings)
        self._run_state = KeepRunState()
        for hook in (
            RequireSameTensors(),
            RequireSameData(),
            ShortHistories(),
            SavePlainTensors(),
            self._run_state,
            LeaveValidation(),
            EndLeaving(),
        ):
            self.register_hook(hook)

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'Runner':
        """Return the runner of a config. Raise UnwritableFile if the disk of its work directory
        does not accept a log."""
        import_scope(cfg)
        with disk_errors_as_unwritable(cfg.work_dir):
            return super().from_cfg(cfg)

    def train(self) -> nn.Module:
        """Train, see mmengine.

        Raises:
            RunStopped: a signal has stopped it, and the state is saved.
            UnwritableFile: the disk accepts no more data; the last checkpoint remains.
            LostWorker: a dataloader worker was killed.
            ProcessLost: another of several processes has ended or does not answer.
        """
        hooks = accept_single_values(self.model)
        try:
            with (
                as_process_lost(),
                disk_errors_as_unwritable(self.work_dir),
                as_lost_worker(self.stop_signals),
            ):
                return super().train()
        finally:
            for hook in hooks:
                hook.remove()
            self._end_loaders(self._train_loop, self._val_loop)

    def val(self) -> dict[str, float]:
        """Validate, see mmengine. Raises LostWorker and ProcessLost as in training."""
        return self._measured(super().val, '_val_loop')

    def test(self) -> dict[str, float]:
        """Evaluate, see mmengine. Raises LostWorker and ProcessLost as in training."""
        return self._measured(super().test, '_test_loop')

    def _measured(self, measure: Callable[[], dict[str, float]], loop: str) -> dict[str, float]:
        try:
            with as_process_lost(), as_lost_worker():
                return measure()
        finally:
            # Only of this loop: a hook may evaluate during a training, whose loaders continue.
            self._end_loaders(getattr(self, loop))

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the processes, see mmengine, and create a log folder that no other run has."""
        super().setup_env(env_cfg)
        stamp = [take_run_folder(self.work_dir, self._timestamp) if is_main_process() else '']
        broadcast_object_list(stamp)
        self._timestamp = stamp[0]

    def set_randomness(
        self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False
    ) -> None:
        """Set the seed. With deterministic algorithms, operations without a deterministic form give
        a warning of torch instead of an error."""
        super().set_randomness(seed, diff_rank_seed, deterministic)
        if deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)

    @property
    def has_ended(self) -> bool:
        """Whether all training steps are done, or the run is to stop early."""
        loop = self._train_loop
        return isinstance(loop, BaseLoop) and (
            loop.iter >= loop.max_iters or getattr(loop, 'stop_training', False)
        )

    @property
    def is_saved(self) -> bool:
        """Whether the last checkpoint is that of the present position."""
        loop = self.train_loop
        return self._last_place == (loop.epoch, loop.iter, getattr(loop, 'validated', None))

    @master_only
    def dump_config(self) -> None:
        """Write the config into the work directory, a Python config completely or not at all. Raise
        UnwritableFile if that fails.

        The config of an evaluation has no training part, and would replace that of the training. It
        is written beside the values that the run logs.
        """
        if self._train_dataloader is None:
            return
        name = Path(self.cfg.filename or f'{self.timestamp}.py').name
        if name.endswith('.py'):
            text = self.cfg.pretty_text.encode()
            atomic_write(Path(self.work_dir, name), text, overwrite=True)
        else:
            super().dump_config()

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = 'default',
    ) -> None:
        """Resume from a checkpoint, see :mod:`rexdense.engine.resume`; all processes from the
        same."""
        self._load_from = filename = first_process_checkpoint(filename)
        # Loaded on the host, so that a device never holds a second model and optimizer.
        location = 'cpu' if map_location == 'default' else map_location
        checkpoint = self.load_checkpoint(filename, map_location=location)
        continue_run(self, checkpoint, resume_optimizer, resume_param_scheduler)
        self._has_loaded = True

    def end_workers(self) -> None:
        """End the dataloader workers, also those that do not answer."""
        self._end_loaders(self._train_loop, self._val_loop, self._test_loop)
        end_stuck_processes()

    @staticmethod
    def _end_loaders(*loops: Any) -> None:
        for loop in loops:
            if isinstance(loop, BaseLoop):
                end_passes(loop.dataloader, getattr(loop, 'dataloader_iterator', None))

    def save_checkpoint(self, out_dir: str, filename: str, *args, **options) -> None:
        """Save a checkpoint under a hidden name and rename it, so that it is never incomplete.
        Raise UnwritableFile if it cannot be written, and CheckpointUnreadable if the first one of
        the run cannot be read again."""
        backbone = backbone_of(self.model)
        if backbone is not None and 'backbone' in self.cfg.get('model', {}):
            # Weights may have turned on options that the config does not state; predict.py builds
            # from it.
            self.cfg.model.backbone.update(hidden_options(backbone))
        loop, meta = self._train_loop, options.get('meta')
        resumable = isinstance(loop, BaseLoop) and options.get('save_optimizer', True) and meta
        self._run_state.state = run_state(self) if resumable else None
        if options.get('save_optimizer', True):
            gather_moments(self.optim_wrapper)
        try:
            self._save_whole(out_dir, filename, *args, **options)
        finally:
            self._run_state.state = None
        # No process goes on before all have saved.
        barrier()
        if resumable:
            if self.last_saved is None and is_main_process():
                require_readable(Path(out_dir, filename))
            self.last_saved = Path(out_dir, filename)
            place = meta['epoch'], meta['iter'], getattr(loop, 'validated', None)
            self._last_place = place

    def _save_whole(self, out_dir: str, filename: str, *args, **options) -> None:
        save_checkpoint = super().save_checkpoint
        if '://' in str(out_dir) or not is_main_process():
            save_checkpoint(out_dir, filename, *args, **options)
            return

        def write() -> None:
            # A link stands for the checkpoint of another folder, which is not this run's.
            place = Path(out_dir, filename)
            with path_written_aside(place, overwrite=True, keep_link=False) as aside:
                save_checkpoint(str(aside.parent), aside.name, *args, **options)
                of_run = os.path.samefile(place.parent, self.work_dir)
                if of_run and is_checkpoint_name(filename):
                    list_hash(self.work_dir, filename, aside)

        try:
            self.disk.write(write, out_dir)
        except UnwritableFile as error:
            raise UnwritableFile(f'checkpoint {error}, then go on with --resume') from error
