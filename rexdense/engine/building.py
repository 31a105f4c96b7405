"""mmengine's Runner with other parts: loops, logs, data loaders, layouts and optimizers."""

from typing import Any

from mmengine.device import get_device
from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop
from mmengine.runner import Runner as MMEngineRunner
from torch import nn
from torch.utils.data import DataLoader

from rexdense.engine.config.checks.faults import require_known_optimizers
from rexdense.engine.cpu_steps import build_fused, lay_out_weights
from rexdense.engine.dataloaders import WorkerSetup, require_batches, without_idle_settings
from rexdense.engine.hooks.metrics_log import LogMetricsOnce
from rexdense.engine.resume.full_disk import DiskWait
from rexdense.engine.resume.loops import placed_type
from rexdense.engine.resume.saving import KeepCheckpoints
from rexdense.engine.schedule import shorten_warm_ups
from rexdense.engine.terminal_log import make_readable
from rexdense.engine.zero import with_gathering_optimizer

_REPLACED_HOOKS = {CheckpointHook: KeepCheckpoints, LoggerHook: LogMetricsOnce}


class BuildingRunner(MMEngineRunner):
    """The part of :class:`rexdense.engine.runner.Runner` that builds a run from its config."""

    disk: DiskWait
    """Writer of checkpoints and logs, which waits for a full disk if requested."""

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the training loop; mmengine's loops become loops that can stop after any step."""
        return super().build_train_loop(placed_type(loop) if isinstance(loop, dict) else loop)

    def register_hook(self, hook: Hook | dict, priority: Any = None) -> None:
        """Register a hook; mmengine's CheckpointHook becomes a :class:`KeepCheckpoints`, and its
        LoggerHook a :class:`LogMetricsOnce`."""
        for theirs, ours in _REPLACED_HOOKS.items():
            names = theirs, theirs.__name__, f'mmengine.{theirs.__name__}'
            if isinstance(hook, dict) and hook.get('type') in names:
                hook = {**hook, 'type': ours}
        super().register_hook(hook, priority)

    def build_logger(self, *args, **settings):
        """Return mmengine's logger without dumps on the terminal; the log file has everything."""
        logger = super().build_logger(*args, **settings)
        make_readable(logger, self.disk)
        return logger

    @staticmethod
    def build_dataloader(dataloader, *args, **settings) -> DataLoader:
        """Return mmengine's data loader with single-threaded workers. Raise InvalidArgument if it
        would give no batch."""
        if isinstance(dataloader, dict):
            dataloader = without_idle_settings(dataloader)
        loader = MMEngineRunner.build_dataloader(dataloader, *args, **settings)
        if not isinstance(loader.worker_init_fn, WorkerSetup):
            loader.worker_init_fn = WorkerSetup(loader.worker_init_fn)
        require_batches(loader)
        return loader

    def build_visualizer(self, visualizer=None):
        """Return the visualizer, separate for this run. Configs give it a fixed name, under which a
        second run in a process would get that of the first and log into its folder."""
        if isinstance(visualizer, dict):
            visualizer = visualizer | dict(name=self.experiment_name)
        built = super().build_visualizer(visualizer)
        self.disk.guard(built)
        return built

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Return the model on its device, for several processes in mmengine's wrapper.

        On a CPU, that wrapper must get no device numbers, which mmengine always passes, and a model
        in training is in channels_last.
        """
        if get_device() == 'cpu' and self._train_dataloader is not None:
            lay_out_weights(model)
        if self.distributed and get_device() == 'cpu':
            model_wrapper_cfg = dict(
                type='MMDistributedDataParallel',
                broadcast_buffers=False,
                find_unused_parameters=self.cfg.get('find_unused_parameters', False),
            ) | dict(model_wrapper_cfg or {}, device_ids=None)
        return super().wrap_model(model_wrapper_cfg, model)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Return mmengine's optimizer wrapper; on a CPU with torch's fused optimizer."""
        require_known_optimizers(optim_wrapper)
        optim_wrapper = with_gathering_optimizer(optim_wrapper)
        if get_device() != 'cpu' or isinstance(optim_wrapper, OptimWrapper):
            return super().build_optim_wrapper(optim_wrapper)
        return build_fused(super().build_optim_wrapper, optim_wrapper)

    def _build_param_scheduler(self, scheduler: Any, optim_wrapper: OptimWrapper) -> list:
        """Return the schedulers, with warm-ups limited to a tenth of the run."""
        sections = scheduler if isinstance(scheduler, (list, tuple)) else [scheduler]
        if all(isinstance(section, dict) for section in sections):
            sections, said = shorten_warm_ups(
                sections, len(self.train_dataloader), self.max_epochs, self.max_iters
            )
            for sentence in said:
                self.logger.info(sentence)
        return super()._build_param_scheduler(sections, optim_wrapper)
