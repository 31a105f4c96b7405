"""Training images that cannot be used are skipped, reported and counted."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.logging import print_log

from rexdense.datasets.images.files import ImageError, UnreadableImage


class SkipUnreadable:
    """Mixin, named first, that makes a data set of mmengine skip damaged images.

    A training image that cannot be decoded is replaced by another one, with a warning. With
    ``test_mode=True`` it is an error.
    """

    faults: tuple[type[ImageError], ...] = (UnreadableImage,)
    """The errors of samples that are skipped."""

    most_unreadable: float | None = None
    """The largest share of samples that may be skipped; None for all but one."""

    def full_init(self) -> None:
        """Read the annotations, unless they have been read already."""
        super().full_init()
        if not hasattr(self, '_unreadable'):
            # In memory that dataloader workers share with this process.
            self._unreadable = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def skipped_images(self) -> int:
        """Number of images that could not be used so far, over all dataloader workers.

        In distributed training it is the number of this process and its workers.
        """
        return int(self._unreadable.sum())

    def prepare_data(self, idx: int) -> Any:
        """Return the sample ``idx``; None for a training image that cannot be used. Raise
        ImageError if an image cannot be used with ``test_mode=True``, or if too many cannot be
        used."""
        try:
            return super().prepare_data(idx)
        except self.faults as error:
            if self.test_mode:
                raise
            if not self._unreadable[idx]:
                self._unreadable[idx] = 1
                print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            self._require_enough(error)
            return None

    def _require_enough(self, error: ImageError) -> None:
        """Raise ImageError, of the kind of the last ``error``, if too many images cannot be
        used."""
        skipped, total = self.skipped_images, len(self)
        where = self.ann_file or self.data_root
        if skipped == total:
            raise type(error)(
                f'{where}: none of its {total} images can be used; the last one tried: {error}'
            ) from error
        if self.most_unreadable is not None and skipped > self.most_unreadable * total:
            raise type(error)(
                f'{where}: {skipped} of its {total} images cannot be used, more than the share of '
                f'{self.most_unreadable:g} that most_unreadable allows; the last one: {error}'
            ) from error


def skipped_sentence(number: int) -> str:
    """Return the message about training images that could not be used."""
    return (
        f'{number} training {"image" if number == 1 else "images"} could not be used and '
        f'{"was" if number == 1 else "were"} skipped; the log names them'
    )


def skipped_images(dataset: Any) -> int:
    """Return the number of images skipped by the data sets below the wrappers of ``dataset``."""
    return sum(getattr(part, 'skipped_images', 0) for part in innermost_datasets(dataset))


def innermost_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets below the wrappers of ``dataset``."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for part in inner:
        if part is None:
            yield dataset
        else:
            yield from innermost_datasets(part)
