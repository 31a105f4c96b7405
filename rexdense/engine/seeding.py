"""Random numbers that depend on where a run stands alone, so that a resumed run draws the same."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from rexdense.registry import HOOKS

__all__ = ['NumberedSampler', 'SampleSeeds', 'SeedEachEpoch']


class SampleSeeds:
    """The seeds of one process of a run and of its loader processes.

    Args:
        seed: Of the run.
        rank: Of the process among those that train together.

    Attributes:
        epoch: The running one, in memory that the loader processes share; a run that counts
            iterations stays in epoch 0.
    """

    def __init__(self, seed: int, rank: int = 0) -> None:
        self.seed, self.rank = seed, rank
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def follow(self, loader: DataLoader) -> 'NumberedSampler':
        """Let the processes of a loader, which have not started, draw for each sample from a seed
        of its own; return what numbers the samples."""
        # Read as the processes start, in whatever epoch that is: without a generator of its own
        # the loader would take a number of this process's then.
        loader.worker_init_fn.seeds = self
        loader.generator = torch.Generator()
        loader.batch_sampler.sampler = NumberedSampler(loader.batch_sampler.sampler)
        return loader.batch_sampler.sampler

    def draw(self, *place: int) -> None:
        """Seed Python's, numpy's and torch's generators for a place in the epoch."""
        words = [self.seed, self.rank, int(self.epoch), *place]
        (state,) = np.random.SeedSequence(words).generate_state(1)
        random.seed(int(state))
        np.random.seed(state)
        torch.manual_seed(int(state))

    def seed_samples(self, dataset: Any) -> None:
        """Let a loader process draw for each sample from the seed of its place in the run.

        A data set knows the image only, which wrappers that repeat images show again and again.
        """
        # An attribute of the instance, which torch's loader asks for before `dataset[index]`.
        dataset.__getitems__ = _Seeded(dataset, self)


class _Numbered(int):
    """Index of a sample in its data set, which knows its number ``place`` in the epoch."""

    place: int

    def __new__(cls, index: int, place: int) -> '_Numbered':
        made = super().__new__(cls, index)
        made.place = place
        return made

    def __reduce__(self) -> tuple:
        return _Numbered, (int(self), self.place)


class NumberedSampler:
    """A sampler whose indices know how many came before them.

    Attributes:
        place: The number of the next one.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler, self.place = sampler, 0

    def __iter__(self) -> Iterator[Any]:
        for index in self.sampler:
            # Samplers of videos give pairs, which mmengine seeds.
            yield _Numbered(index, self.place) if isinstance(index, int) else index
            self.place += 1

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        # Batch samplers of mmdet ask for the data set.
        return getattr(self.sampler, name)


class _Seeded:
    """The samples of a data set at some indices, each seeded by epoch and place."""

    def __init__(self, dataset: Any, seeds: SampleSeeds) -> None:
        self.dataset, self.seeds = dataset, seeds

    def __call__(self, indices: Sequence[Any]) -> list[Any]:
        samples = []
        for index in indices:
            if isinstance(index, _Numbered):
                self.seeds.draw(index.place)
            samples.append(self.dataset[index])
        return samples


@HOOKS.register_module()
class SeedEachEpoch(Hook):
    """Seed each epoch of training by the run's seed and the epoch's number, and each sample that a
    loader process makes by its own place in the epoch besides. In a run that counts iterations,
    each iteration is seeded.

    A run that goes on from a checkpoint, of an epoch or of an iteration, then makes the steps that
    it would have made without the interruption. mmengine seeds once, at the start of a process.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._seeds: SampleSeeds | None = None
        self._order: NumberedSampler | None = None

    def before_train_epoch(self, runner) -> None:
        """Seed this process, and tell its loader processes where the run stands."""
        if self._seeds is None:
            self._seeds = SampleSeeds(runner.seed or 0, runner.rank)
            self._order = self._seeds.follow(runner.train_dataloader)
        if _counts_epochs(runner):
            self._seeds.epoch.fill_(runner.epoch)
            self._order.place = 0
            self._seeds.draw()
        else:
            self._order.place = _samples_left_out(runner)
            self._seeds.draw(runner.iter)

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Seed this process for the next iteration, and for the batch that it may make itself."""
        if not _counts_epochs(runner):
            self._seeds.draw(runner.iter + 1)

    def after_val(self, runner) -> None:
        """Seed this process for the next iteration: validation takes numbers, too."""
        if self._seeds is not None and not _counts_epochs(runner):
            self._seeds.draw(runner.iter)


def _counts_epochs(runner: Any) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def _samples_left_out(runner: Any) -> int:
    """Return how many samples a loader does not give because the run has seen them.

    mmengine's loop lets the sampler leave them out, where it can; else all are loaded once more,
    unless ``fast_forward_on_resume`` says not to, which begins the order anew.
    """
    loader = runner.train_dataloader
    is_skipped = hasattr(loader.sampler, 'skip') and loader.batch_size
    if is_skipped or getattr(runner.train_loop, 'fast_forward_on_resume', False):
        return runner.iter * (loader.batch_size or loader.batch_sampler.batch_size)
    return 0
