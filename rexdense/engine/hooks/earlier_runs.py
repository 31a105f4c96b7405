"""Room for a run in its work directory."""

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from rexdense.engine.work_dir import remove_earlier_runs
from rexdense.registry import HOOKS

__all__ = ['RemoveEarlierRuns']


@HOOKS.register_module()
class RemoveEarlierRuns(Hook):
    """Delete what earlier runs left in the work directory, once all is built and training begins,
    so that a mistake in the config costs nothing."""

    def before_train(self, runner) -> None:
        """Delete it."""
        if is_main_process():
            remove_earlier_runs(runner.work_dir, runner.timestamp)
