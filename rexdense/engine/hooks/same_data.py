"""Hook that checks that all processes have the same data."""

import itertools
from collections.abc import Sized

from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from torch.utils.data import DataLoader

from rexdense.errors import DataError

LONGEST_SHOWN = 80


class RequireSameData(Hook):
    """Check before a run that all processes have data of the same size and the same classes.

    Each process takes its share of the indices up to that size. With different data, such as an
    incomplete copy on the disk of one machine, some would wait in a step that the others never
    make, and images would be left out or evaluated twice.

    Raises:
        DataError: the data differ.
    """

    # Before hooks that check the files.
    priority = 'VERY_HIGH'

    def before_train(self, runner) -> None:
        """Compare the training and the validation data."""
        _require_same(runner.train_dataloader, 'training')
        if runner.val_loop is not None:
            _require_same(runner.val_dataloader, 'validation')

    def before_test(self, runner) -> None:
        """Compare the data of the evaluation."""
        _require_same(runner.test_dataloader, 'test')


def _require_same(loader: DataLoader, which: str) -> None:
    everyone = all_gather_object(_facts(loader))
    first = everyone[0]
    for rank, other in enumerate(everyone):
        if other != first:
            key = next(key for key in first if other[key] != first[key])
            theirs, firsts = _apart(other[key], first[key])
            raise DataError(
                f'the {which} data of process {rank} has {key} {theirs}, that of process 0 '
                f'{firsts}: give all machines the same data, and all processes the same options'
            )


def _apart(one: str, other: str) -> tuple[str, str]:
    """Return the parts of two texts, such as lists of thousands of classes, around the first
    difference."""
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    place = len(list(alike))
    begin = max(0, place - LONGEST_SHOWN // 2)
    return tuple(
        ('...' if begin else '')
        + text[begin : begin + LONGEST_SHOWN]
        + ('...' if len(text) > begin + LONGEST_SHOWN else '')
        for text in (one, other)
    )


def _facts(loader: DataLoader) -> dict[str, str]:
    """Return the properties of a data set that must be equal, by name."""
    dataset = loader.dataset
    size = len(dataset) if isinstance(dataset, Sized) else 'unknown'
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes') or ()
    return {'size': str(size), 'classes': ', '.join(map(str, classes)) or 'none'}
