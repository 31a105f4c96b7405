"""The last line of a training."""

from pathlib import Path

from mmengine.runner import EpochBasedTrainLoop

from rexdense.engine.report.main_metric import MainMetric, main_metric
from rexdense.engine.runner import Runner
from rexdense.visualization.scalars import read_scalars


def best_checkpoint(runner: Runner) -> Path | None:
    """Return the best checkpoint of the run; None if it keeps none."""
    path = runner.message_hub.runtime_info.get('best_ckpt')
    return Path(path) if path and Path(path).is_file() else None


def closing_line(runner: Runner, seconds: float) -> str:
    """Return a line with the main metric of the last and of the best validation, the length and
    time of the training, and the folder.

    Args:
        seconds: Time of training and validation.
    """
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    unit, done = ('epoch', runner.epoch) if by_epoch else ('iteration', runner.iter)
    parts = []
    metric = main_metric(runner.cfg)
    if metric is not None:
        parts.append(_last_and_best(metric, read_scalars(runner.work_dir).validation, unit))
    parts.append(f'{done} {unit}{"" if done == 1 else "s"} in {duration(seconds)}')
    parts.append(str(runner.work_dir))
    return f'Done: {"; ".join(filter(None, parts))}'


def _last_and_best(metric: MainMetric, rows: list[dict], unit: str) -> str:
    best = metric.best(rows)
    if best is None:
        return ''
    last = rows[-1].get(metric.name, float('nan'))
    said = f'{metric.name.rpartition("/")[2]} {last:.3f}'
    if best is rows[-1]:
        return f'{said}, the best'
    return f'{said}, best {best[metric.name]:.3f} at {unit} {best["step"]:.0f}'


def duration(seconds: float) -> str:
    """Return a time in words.

    Example:
        >>> duration(4.26), duration(75), duration(7322)
        ('4.3 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f'{minutes} min {rest} s'
    return f'{minutes // 60} h {minutes % 60} min'
