"""Repeated augmentation: several differently augmented copies of an image in one batch."""

import math
from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rexdense.errors import InvalidArgument
from rexdense.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RepeatedSampler(Sampler):
    """Take each image several times, one after the other (Hoffer et al. 2020, "Augment your
    batch"; Berman et al. 2019, "MultiGrain").

    An epoch stays as long as it is without: each shows a share of ``1 / repeats`` of the images, in
    a new random order, as timm's and torchvision's samplers of this kind do. Of several processes
    each takes its turn, so that the copies of an image lie in different ones.

    Args:
        dataset: The data set.
        repeats: Copies of an image.
        shuffle: Take the images in a new random order each epoch.
        seed: Of the order; None draws one that all processes share.

    Raises:
        InvalidArgument: ``repeats`` is no whole number from 1 on.
    """

    def __init__(
        self, dataset: Sized, repeats: int = 3, shuffle: bool = True, seed: int | None = None
    ) -> None:
        if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
            raise InvalidArgument(f'repeats={repeats!r}: give a whole number from 1 on')
        self.rank, self.world_size = get_dist_info()
        self.dataset, self.repeats, self.shuffle = dataset, repeats, shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        order = list(range(len(self.dataset)))
        if self.shuffle:
            generator = torch.Generator().manual_seed(self.seed + self.epoch)
            order = torch.randperm(len(order), generator=generator).tolist()
        copies = [place for place in order for _ in range(self.repeats)]
        # Filled up from the beginning where the processes cannot share them evenly.
        total = len(self) * self.world_size
        copies = (copies * math.ceil(total / len(copies)))[:total]
        return iter(copies[self.rank :: self.world_size])

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which chooses the order."""
        self.epoch = epoch
