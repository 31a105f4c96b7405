"""Repeated augmentation: several differently augmented copies of an image in one batch."""

import math
from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rexdense.arch.checks import require_positive_integer
from rexdense.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class RepeatedSampler(Sampler):
    """Repeat each image several times in a row (Hoffer et al. 2020, "Augment your batch"; Berman et
    al. 2019, "MultiGrain").

    An epoch keeps its length: it has a share of ``1 / repeats`` of the images, in a new random
    order, as in the samplers of this kind of timm and torchvision. The indices are dealt to the
    ranks in turn, so that the copies of an image are on different ranks.

    Args:
        dataset: The data set.
        repeats: Copies of each image.
        shuffle: Take the images in a new random order each epoch.
        seed: Seed of the order; None draws one that all ranks share.

    Raises:
        InvalidArgument: ``repeats`` is not a whole number above 0.
    """

    def __init__(
        self, dataset: Sized, repeats: int = 3, shuffle: bool = True, seed: int | None = None
    ) -> None:
        require_positive_integer('repeats', repeats)
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
        # Padded from the beginning so that all ranks get the same number.
        total = len(self) * self.world_size
        copies = (copies * math.ceil(total / len(copies)))[:total]
        return iter(copies[self.rank :: self.world_size])

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order."""
        self.epoch = epoch
