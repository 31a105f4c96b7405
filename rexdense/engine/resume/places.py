"""Random numbers and batches that follow from the place in a run alone.

A run that goes on from a checkpoint makes the steps that it would have made without the
interruption, if each step draws from a seed of its own: of the run's seed, the process, the epoch,
the batch, and, for what a loader process makes, the sample in the batch. No generator's state has
to be saved then, it does not matter which loader process makes a batch, when that was started, or
what a validation drew, and the batches that were made are left out as indices, without an image
being read. torchdata's StatefulDataLoader, the alternative, stores the state of each loader process
with each checkpoint, and ties a run to their number.
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
    """The place of a sample in a run, each counted from 0.

    A run that counts iterations stays in epoch 0, where ``batch`` is the iteration.
    """

    epoch: int
    batch: int
    sample: int


class Seeds:
    """The random numbers of one process of a run.

    Args:
        seed: Of the run.
        rank: Of the process among those that train together.
    """

    def __init__(self, seed: int, rank: int = 0) -> None:
        self.seed, self.rank = seed, rank

    def seed_step(self, epoch: int, batch: int) -> None:
        """Seed Python's, numpy's and torch's generators for a step of training."""
        self._draw(epoch, batch, 0)

    def seed_between(self, steps: int) -> None:
        """Seed them for what comes between two steps, such as a validation."""
        self._draw(steps)

    def seed_sample(self, place: Place) -> None:
        """Seed them for a sample that is loaded."""
        self._draw(place.epoch, place.batch, place.sample + 1)

    def _draw(self, *words: int) -> None:
        entropy = np.random.SeedSequence([self.seed, self.rank, *words])
        (state,) = entropy.generate_state(1)
        random.seed(int(state))
        np.random.seed(state)
        torch.manual_seed(int(state))


class PlacedBatches:
    """A batch sampler whose indices come with their :class:`Place`.

    Args:
        batches: The batch sampler.
        endless: A pass over the data follows the one before, for runs that count iterations.

    Attributes:
        epoch: The epoch of the places.
        done: How many batches the next pass leaves out, because the run has made them; None gives
            no batch, since where the run begins is not known yet.
    """

    def __init__(self, batches: Any, endless: bool) -> None:
        self.batches, self.endless = batches, endless
        self.epoch, self.done = 0, None

    def __iter__(self) -> Iterator[list[tuple[Place, Any]]]:
        # Loops of mmengine 0.10.7 that count iterations begin their loader as they are built.
        if self.done is None:
            return
        done, self.done = self.done, 0
        sampler = getattr(self.batches, 'sampler', None)
        if isinstance(sampler, InfiniteSampler):
            # Its one generator is closed with a pass that is left, and would give nothing more.
            sampler.indices = sampler._indices_of_rank()
        for number, batch in enumerate(self._passes()):
            if number >= done:
                yield [(Place(self.epoch, number, i), index) for i, index in enumerate(batch)]

    def _passes(self) -> Iterator[Sequence[Any]]:
        yield from self._as_built()
        passes = 1
        while self.endless:
            # As mmengine's loop does when it begins the data once more.
            if hasattr(self.batches.sampler, 'set_epoch'):
                self.batches.sampler.set_epoch(passes)
            yield from self._as_built()
            passes += 1

    def _as_built(self) -> Any:
        """Return the batch sampler for a pass: what a pass that is left halfway has gathered, as
        mmdet's by aspect ratio does, is none of the next one's."""
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
    """The samples of a data set at some indices, each drawn from the seed of its place."""

    def __init__(self, dataset: Any, seeds: Seeds) -> None:
        self.dataset, self.seeds = dataset, seeds

    def __call__(self, indices: Sequence[tuple[Place, Any]]) -> list[Any]:
        samples = []
        for place, index in indices:
            self.seeds.seed_sample(place)
            samples.append(self.dataset[index])
        return samples


class _Held:
    """A data set that takes no attributes, such as a list."""

    def __init__(self, samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Any) -> Any:
        return self.samples[index]


def follow_places(loader: DataLoader, seeds: Seeds, endless: bool) -> PlacedBatches | None:
    """Let a loader, which has not begun, draw each sample from the seed of its place; return its
    batch sampler, None where it has none: for data sets that choose their samples themselves.

    A data set alone knows the image only, which wrappers that repeat images show again and again.
    """
    if loader.batch_sampler is None or isinstance(loader.dataset, IterableDataset):
        return None
    batches = PlacedBatches(loader.batch_sampler, endless)
    # torch forbids to set it, since its loader would not notice once it has begun.
    object.__setattr__(loader, 'batch_sampler', batches)
    # An attribute of the instance, which torch's loader asks for before `dataset[index]`.
    try:
        loader.dataset.__getitems__ = _PlacedSamples(loader.dataset, seeds)
    except AttributeError:
        held = _Held(loader.dataset)
        held.__getitems__ = _PlacedSamples(held.samples, seeds)
        object.__setattr__(loader, 'dataset', held)
    # Without one of its own the loader takes a number from the generator of this process.
    loader.generator = torch.Generator()
    return batches
