"""Counts of pixels by class in label maps, and a check that these suffice for training."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rexdense.datasets.segmentation.label_maps import VOID, check_labels, read_label_map
from rexdense.errors import DataError

MOST_MAPS_READ = 1000
"""Label maps of a split that are checked before training; the others are checked during it."""

_FIRST_MAPS = 64


def count_labels(
    paths: Sequence[str | Path],
    num_classes: int,
    void: int = VOID,
    most: int = MOST_MAPS_READ,
) -> np.ndarray:
    """Return the number of pixels of each class, and of void in the last column, of up to ``most``
    label maps from all over the list: (maps, classes + 1). Raise DataError if a map cannot be read,
    or has labels that are no class."""
    places = np.linspace(0, len(paths) - 1, min(len(paths), most)).astype(int)

    def count(path: str | Path) -> np.ndarray:
        labels = read_label_map(path)
        check_labels(labels, num_classes, path, void)
        is_void = labels == void
        pixels = np.bincount(labels[~is_void], minlength=num_classes)
        return np.append(pixels, is_void.sum())

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(count, [paths[place] for place in places])))


def require_labels(counts: np.ndarray, where: str, void: int = VOID) -> None:
    """Raise DataError if all label maps are entirely void. The arguments are those of
    :func:`require_two_classes`."""
    if not counts[:, :-1].any():
        raise DataError(f'all label maps of {where} are void ({void}) all over; label some pixels')


def require_two_classes(
    counts: np.ndarray, classes: Sequence[str], where: str, void: int = VOID
) -> None:
    """Raise DataError unless label maps have pixels of at least two classes.

    Args:
        counts: Counts of all maps from :func:`count_labels`.
        where: Name of the maps in messages, such as 'train'.
    """
    require_labels(counts, where, void)
    *pixels, void_pixels = counts.sum(0).tolist()
    present = [label for label, number in enumerate(pixels) if number]
    if len(present) > 1:
        return
    (label,) = present
    message = (
        f'all labelled pixels of {where} are of one class, {label} ({classes[label]!r}), so nothing'
        ' can be learnt'
    )
    if void_pixels:
        share = void_pixels / (void_pixels + pixels[label])
        message += (
            f'; {share:.1%} are {void}, which stands for void: if those are the object, save the '
            f'maps with class indices, such as labels = (mask == {void}) * 1'
        )
    else:
        message += '; give the pixels of the other classes their labels'
    raise DataError(message)


def require_two_classes_of_some(
    paths: Sequence[str | Path], classes: Sequence[str], where: str, void: int = VOID
) -> None:
    """Raise as :func:`require_two_classes` does, reading only as many maps as necessary. Also raise
    if one of these maps cannot be used."""
    for most in (_FIRST_MAPS, MOST_MAPS_READ):
        counts = count_labels(paths, len(classes), void, most)
        if (counts[:, :-1].sum(0) > 0).sum() > 1:
            return
    if len(counts) == len(paths):
        require_two_classes(counts, classes, where, void)
