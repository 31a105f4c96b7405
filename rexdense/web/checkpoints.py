"""The checkpoints that the page offers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rexdense.inference import Predictor
from rexdense.tasks import Depth, Detection, Segmentation, set_options

LEAST_SCORE = 0.05
"""Lowest score of the objects that are kept, and the lowest value of the page's slider."""


def load_checkpoints(
    paths: Sequence[Path], device: str, trust_config: bool = False, optimize: bool = True
) -> dict[str, Predictor]:
    """Return a predictor for each checkpoint, by its name on the page.

    Args:
        device, trust_config, optimize: Arguments of :class:`rexdense.Predictor`.

    Raises:
        CheckpointUnreadable, CheckpointMismatch: a checkpoint cannot be used.
        InvalidArgument: the device is not available.
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
    """Return the checkpoints by the shortest unique ends of their paths, which include the folder
    of the run. A repeated checkpoint is returned once.

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
    """Return the page's name for the task of a predictor, such as 'Detection'."""
    return type(predictor.task).__name__


def names_of_task(predictors: Mapping[str, Predictor], task: str) -> list[str]:
    """Return the names of the checkpoints for a task."""
    return [name for name, predictor in predictors.items() if task_name(predictor) == task]


class Settings(NamedTuple):
    """The settings that affect the predictions of a checkpoint.

    Attributes:
        score: Whether there is a lowest score.
        opacity: Whether there is an overlay on the image.
        classes: Classes to choose from; empty if there is no choice.
        scales: Whether there are outputs at several scales.
    """

    score: bool
    opacity: bool
    classes: tuple[str, ...]
    scales: bool


def settings_of(predictor: Predictor) -> Settings:
    """Return the settings for a predictor."""
    task = predictor.task
    return Settings(
        score=isinstance(task, Detection),
        opacity=isinstance(task, Segmentation | Depth) or predictor.finds_masks,
        classes=() if isinstance(task, Depth) else tuple(predictor.classes),
        scales=bool(predictor.strides),
    )
