"""Random numbers and batches that depend only on the position in a run.

A resumed run makes the same steps as without the interruption if each step has its own seed. The
seed is derived from the run's seed, the process, the epoch, the batch, and, in a dataloader worker,
the sample in the batch. No generator state has to be saved then. It does not matter which worker
makes a batch, when it was started, or which random numbers a validation used. Finished batches are
skipped as indices, without reading an image. torchdata's StatefulDataLoader, the alternative,
stores the state of each worker with each checkpoint, and ties a run to their number.
"""

import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader, IterableDataset


class Place(NamedTuple):
    """The position of a sample in a run, with all numbers from 0.

    A run that counts iterations stays in epoch 0, and ``batch`` is the iteration.
    """

    epoch: int
    batch: int
    sample: int


class Seeds:
    """The random numbers of one process of a run.

    Args:
        seed: Seed of the run.
        rank: Rank of the process.
    """

    def __init__(self, seed: int, rank: int = 0) -> None:
        self.seed, self.rank = seed, rank

    def seed_step(self, epoch: int, batch: int) -> None:
        """Seed the generators of Python, numpy and torch for a training step."""
        self._draw(epoch, batch, 0)

    def seed_between(self, steps: int) -> None:
        """Seed them for work between two steps, such as a validation."""
        self._draw(steps)

    def seed_sample(self, place: Place) -> None:
        """Seed them for loading a sample."""
        self._draw(place.epoch, place.batch, place.sample + 1)

    def _draw(self, *words: int) -> None:
        entropy = np.random.SeedSequence([self.seed, self.rank, *words])
        (state,) = entropy.generate_state(1)
        random.seed(int(state))
        np.random.seed(state)
        torch.manual_seed(int(state))


class PlacedBatches:
    """A batch sampler that returns each index with its :class:`Place`.

    Args:
        batches: The batch sampler.
        endless: Follow each pass over the data by another, for runs that count iterations.

    Attributes:
        epoch: The epoch of the places.
        done: Number of batches that the next pass skips, because they are finished. None returns no
            batch, because the position of the run is not known yet.
    """

    def __init__(self, batches: Any, endless: bool) -> None:
        self.batches, self.endless = batches, endless
        self.epoch, self.done = 0, None

    def __iter__(self) -> Iterator[list[tuple[Place, Any]]]:
        # Loops of mmengine 0.10.7 that count iterations start their loader when they are built.
        if self.done is None:
            return
        done, self.done = self.done, 0
        sampler = getattr(self.batches, 'sampler', None)
        if isinstance(sampler, InfiniteSampler):
            # An abandoned pass closes its only generator, which would yield nothing more.
            sampler.indices = sampler._indices_of_rank()
        for number, batch in enumerate(self._passes()):
            if number >= done:
                yield [(Place(self.epoch, number, i), index) for i, index in enumerate(batch)]

    def _passes(self) -> Iterator[Sequence[Any]]:
        yield from self._as_built()
        passes = 1
        while self.endless:
            # As in mmengine's loop when it restarts the data.
            if hasattr(self.batches.sampler, 'set_epoch'):
                self.batches.sampler.set_epoch(passes)
            yield from self._as_built()
            passes += 1

    def _as_built(self) -> Any:
        """Return a copy of the batch sampler for a pass, so that batches collected in an abandoned
        pass, as by mmdet's sampler by aspect ratio, do not reach the next pass."""
        sampler = getattr(self.batches, 'sampler', None)
        shared = (sampler, getattr(sampler, 'dataset', None))
        return copy.deepcopy(self.batches, {id(each): each for each in shared})

    def __len__(self) -> int:
        return len(self.batches)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'batches':
            raise AttributeError(name)
        return getattr(self.batches, name)


class _PlacedSamples:
    """The samples of a data set at some indices, each with the seed of its place."""

    def __init__(self, dataset: Any, seeds: Seeds) -> None:
        self.dataset, self.seeds = dataset, seeds

    def __call__(self, indices: Sequence[tuple[Place, Any]]) -> list[Any]:
        samples = []
        for place, index in indices:
            self.seeds.seed_sample(place)
            samples.append(self.dataset[index])
        return samples


class _Held:
    """A data set that accepts no attributes, such as a list."""

    def __init__(self, samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Any) -> Any:
        return self.samples[index]


def follow_places(loader: DataLoader, seeds: Seeds, endless: bool) -> PlacedBatches | None:
    """Make an unstarted loader use the seed of its place for each sample. Return its batch sampler;
    None if it has none, because the data set chooses its samples itself.

    The data set by itself knows only the index of the image, which wrappers that repeat images use
    again and again.
    """
    if loader.batch_sampler is None or isinstance(loader.dataset, IterableDataset):
        return None
    batches = PlacedBatches(loader.batch_sampler, endless)
    # torch forbids setting it, because a started loader would not notice.
    object.__setattr__(loader, 'batch_sampler', batches)
    # An instance attribute, which torch's loader uses instead of `dataset[index]`.
    try:
        loader.dataset.__getitems__ = _PlacedSamples(loader.dataset, seeds)
    except AttributeError:
        held = _Held(loader.dataset)
        held.__getitems__ = _PlacedSamples(held.samples, seeds)
        object.__setattr__(loader, 'dataset', held)
    # Otherwise the loader takes a number from the generator of this process.
    loader.generator = torch.Generator()
    return batches
