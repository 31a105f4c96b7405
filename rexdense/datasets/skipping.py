"""Training samples that cannot be used, replaced by others and counted."""

import logging
from typing import Any

import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from rexdense.datasets.loading import ImageError, UnreadableImage

__all__ = ['SkippingDataset']


class SkippingDataset(BaseDataset):
    """A data set of mmengine that puts another sample in the place of a faulty one, in training.

    Each faulty one is told of once; see ``skipped_images``. With ``test_mode=True`` it is an error.
    """

    faults: tuple[type[ImageError], ...] = (UnreadableImage,)
    """What is raised for a faulty sample."""

    @property
    def source(self) -> str:
        """What messages call the data."""
        return self.ann_file

    def full_init(self) -> None:
        """Find the samples, unless that has been done."""
        super().full_init()
        if not hasattr(self, '_faulty'):
            # In memory that the dataloader's worker processes share with this one.
            self._faulty = torch.zeros(len(self), dtype=torch.uint8).share_memory_()

    @property
    def skipped_images(self) -> int:
        """Number of images that could not be used so far, in all worker processes together.

        In distributed training it is the number of this process and its own workers.
        """
        return int(self._faulty.sum())

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
            if not self._faulty[idx]:
                self._faulty[idx] = 1
                print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            if self.skipped_images == len(self):
                raise type(error)(
                    f'{self.source}: none of its {len(self)} images can be used; '
                    f'the last one tried: {error}'
                ) from error
            return None
