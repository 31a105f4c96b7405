"""Training images that cannot be used: left out, told of and counted."""

import logging
from typing import Any

import torch
from mmengine.logging import print_log

from rexdense.datasets.images.loading import ImageError, UnreadableImage

__all__ = ['SkipUnreadable']


class SkipUnreadable:
    """Mixin, named first, that lets a data set of mmengine go on past a damaged image.

    A training image that cannot be decoded is replaced by another one, with a warning; with
    ``test_mode=True`` it is an error.
    """

    faults: tuple[type[ImageError], ...] = (UnreadableImage,)
    """The errors of samples that are left out."""

    def full_init(self) -> None:
        """Read the annotations, unless that has been done."""
        super().full_init()
        if not hasattr(self, '_unreadable'):
            # In memory that the dataloader's worker processes share with this one.
            self._unreadable = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def skipped_images(self) -> int:
        """Number of images that could not be used so far, in all worker processes together.

        In distributed training it is the number of this process and its own workers.
        """
        return int(self._unreadable.sum())

    def prepare_data(self, idx: int) -> Any:
        """Return the sample ``idx``; None for a training image that cannot be used.

        Raises:
            ImageError: an image cannot be used and ``test_mode`` is on, or none can be.
        """
        try:
            return super().prepare_data(idx)
        except self.faults as error:
            if self.test_mode:
                raise
            if not self._unreadable[idx]:
                self._unreadable[idx] = 1
                print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            if self.skipped_images == len(self):
                raise type(error)(
                    f'{self.ann_file or self.data_root}: none of its {len(self)} images can be '
                    f'used; the last one tried: {error}'
                ) from error
            return None
