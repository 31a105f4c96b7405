"""The checkpoints that the page offers."""

from collections.abc import Sequence
from pathlib import Path

from rexdense.inference import Predictor
from rexdense.tasks import Detection, set_options

__all__ = ['LEAST_SCORE', 'checkpoint_names', 'load_checkpoints', 'task_name']

LEAST_SCORE = 0.05
"""Lowest score of objects that are kept, and with it the lowest to which the page's slider goes."""


def load_checkpoints(
    paths: Sequence[Path], device: str, trust_config: bool = False, optimize: bool = True
) -> dict[str, Predictor]:
    """Return a predictor for each checkpoint, by its name on the page.

    Args:
        device, trust_config, optimize: Those of :class:`rexdense.Predictor`.

    Raises:
        CheckpointUnreadable, CheckpointMismatch: one cannot be used.
        InvalidArgument: the device is not there.
    """
    predictors = {}
    for name, path in checkpoint_names(paths).items():
        predictor = Predictor(
            path, device, scales='if any', trust_config=trust_config, optimize=optimize
        )
        if isinstance(predictor.task, Detection):
            set_options(predictor.task, score=LEAST_SCORE)
        predictors[name] = predictor
    return predictors


def checkpoint_names(paths: Sequence[Path]) -> dict[str, Path]:
    """Return checkpoints by the shortest ends of their paths that tell them apart, the folder of
    the run always with them; one that is given twice comes once.

    Example:
        >>> list(checkpoint_names([Path('/runs/a/last.pth'), Path('/runs/b/last.pth')]))
        ['a/last.pth', 'b/last.pth']
    """
    whole = list(dict.fromkeys(path.resolve() for path in paths))
    for parts in range(2, 1 + max((len(path.parts) for path in whole), default=2)):
        names = ['/'.join(path.parts[-parts:]).replace('//', '/') for path in whole]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, whole, strict=True)) if whole else {}


def task_name(predictor: Predictor) -> str:
    """Return what the page calls the task of a predictor, such as 'Detection'."""
    return type(predictor.task).__name__
