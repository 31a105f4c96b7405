"""Hook that logs values, and writes the metrics of an evaluation in one of several processes."""

from mmengine.dist import master_only
from mmengine.hooks import LoggerHook


class LogMetricsOnce(LoggerHook):
    """mmengine's LoggerHook, of which only the first process writes the metrics of an evaluation.

    mmengine's lets all processes write the same file at once, which damages it.
    """

    @master_only
    def after_test_epoch(self, runner, metrics: dict[str, float] | None = None) -> None:
        """Write the metrics."""
        super().after_test_epoch(runner, metrics)
