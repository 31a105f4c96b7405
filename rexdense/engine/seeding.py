"""Random numbers that depend on where a run stands alone, so that a resumed run draws the same."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook

from rexdense.engine.hooks import innermost_datasets
from rexdense.registry import HOOKS

__all__ = ['SampleSeeds', 'SeedEachEpoch']


class SampleSeeds:
    """The seeds of one process of a run and of its loader processes.

    Args:
        seed: Of the run.
        rank: Of the process among those that train together.

    Attributes:
        epoch: The running one, in memory that the loader processes share.
    """

    def __init__(self, seed: int, rank: int = 0) -> None:
        self.seed, self.rank = seed, rank
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def draw(self, *place: int) -> None:
        """Seed Python's, numpy's and torch's generators for a place in the epoch."""
        words = [self.seed, self.rank, int(self.epoch), *place]
        (state,) = np.random.SeedSequence(words).generate_state(1)
        random.seed(int(state))
        np.random.seed(state)
        torch.manual_seed(int(state))

    def seed_samples(self, dataset: Any) -> None:
        """Let the data sets below a loader's draw for each sample from a seed of its own."""
        for part in innermost_datasets(dataset):
            if hasattr(part, 'prepare_data'):
                # An attribute of the instance, which its class's method lies below.
                part.prepare_data = _Seeded(part.prepare_data, self)


class _Seeded:
    """``prepare_data`` of a data set, seeded by epoch and sample."""

    def __init__(self, prepare: Callable[[int], Any], seeds: SampleSeeds) -> None:
        self.prepare, self.seeds = prepare, seeds
        self.failures = 0

    def __call__(self, idx: int) -> Any:
        # What takes the place of samples that cannot be used is drawn from these numbers, too:
        # counting keeps two of them from standing for each other for ever.
        self.seeds.draw(int(idx), getattr(idx, 'repeat', 0), self.failures)
        sample = self.prepare(idx)
        self.failures = self.failures + 1 if sample is None else 0
        return sample


@HOOKS.register_module()
class SeedEachEpoch(Hook):
    """Seed each epoch of training by the run's seed and the epoch's number, and each sample that a
    loader process makes by its own place in the data besides.

    A run that goes on from a checkpoint of an epoch then makes the steps that it would have made
    without the interruption. mmengine seeds once, at the start of a process.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._seeds: SampleSeeds | None = None

    def before_train_epoch(self, runner) -> None:
        """Seed this process, and tell its loader processes the epoch."""
        if self._seeds is None:
            self._seeds = SampleSeeds(runner.seed or 0, runner.rank)
            # Both are read as the loader processes start, in whatever epoch that is: without a
            # generator of its own the loader would take a number of this process's then.
            runner.train_dataloader.worker_init_fn.seeds = self._seeds
            runner.train_dataloader.generator = torch.Generator()
        self._seeds.epoch.fill_(runner.epoch)
        self._seeds.draw()
