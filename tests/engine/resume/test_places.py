"""Random numbers by place: the same after an interruption, others in each epoch and sample."""

import numpy as np
import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.dataset import BaseDataset, ClassBalancedDataset, InfiniteSampler, RepeatDataset
from torch import nn
from torch.utils.data import BatchSampler

from rexdense.datasets.classification.sampler import RepeatedSampler
from rexdense.engine.dataloaders import end_passes
from rexdense.engine.resume.places import PlacedBatches, Seeds, follow_places
from rexdense.engine.runner import Runner

IMAGES = 4


class Drawn(BaseDataset):
    """A data set whose samples are random numbers; sample 0 fails at first."""

    def __init__(self, tries: int = 0) -> None:
        self.tries = tries
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return [dict() for _ in range(IMAGES)]

    def get_cat_ids(self, idx):
        return [int(idx > 0)]

    def prepare_data(self, idx):
        if idx == 0 and self.tries < 2:
            self.tries += 1
            return None
        return int(idx), float(np.random.random())


class InBuckets(BatchSampler):
    """A batch sampler that looks at the data, as those of mmdet do."""

    def __iter__(self):
        for index in self.sampler:
            assert len(self.sampler.dataset) and len(self.sampler)
            yield [index]


def loader_of(dataset, workers=2, kind='DefaultSampler', **settings):
    sampler = dict(type=kind, shuffle=False)
    settings = dict(batch_size=1) | settings
    return Runner.build_dataloader(
        dict(dataset=dataset, sampler=sampler, num_workers=workers, **settings), seed=0
    )


def passes(loader, seeds, places, endless=False):
    """What a loader gives from each of some places (epoch, batches done) on."""
    batches = follow_places(loader, seeds, endless)
    found = []
    for batches.epoch, batches.done in places:
        found.append([tuple(value for (value,) in batch) for batch in loader])
    end_passes(loader)
    return found


def drawn(seeds, epoch=0, dataset=None, done=0, **settings):
    (found,) = passes(loader_of(dataset or Drawn(), **settings), seeds, [(epoch, done)])
    return found


@pytest.mark.parametrize('settings', [dict(persistent_workers=True), dict(), dict(workers=0)])
def test_each_epoch_draws_others_wherever_it_is_entered(settings):
    """Without persistent processes too, which begin each epoch with the same seed of mmengine's."""
    epochs = passes(loader_of(Drawn(), **settings), Seeds(0), [(0, 0), (1, 0), (0, 2), (1, 4)])
    numbers = [number for epoch in epochs[:2] for _, number in epoch]
    assert len(set(numbers)) == len(numbers) == 2 * IMAGES
    assert epochs[2:] == [epochs[0][2:], []]
    assert drawn(Seeds(0), 1, workers=1) == epochs[1]


@pytest.mark.parametrize('other', [Seeds(1), Seeds(0, rank=1)])
def test_another_seed_or_process_draws_others(other):
    assert drawn(other, workers=0) != drawn(Seeds(0), workers=0)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda data: RepeatDataset(data, times=3),
        lambda data: ClassBalancedDataset(data, oversample_thr=1.0),
    ],
)
def test_repeats_of_a_sample_differ(wrap):
    dataset = wrap(Drawn())
    samples = drawn(Seeds(0), dataset=dataset)
    assert len(samples) == len(dataset) > IMAGES
    assert len({number for _, number in samples}) == len(samples)
    assert drawn(Seeds(0), dataset=wrap(Drawn()), workers=1)[3:] == samples[3:]


def test_copies_of_a_sampler_and_a_batch_sampler_of_another_kind():
    loader = loader_of(Drawn())
    loader.batch_sampler.sampler = RepeatedSampler(Drawn(), repeats=4, seed=0)
    (samples,) = passes(loader, Seeds(0), [(0, 0)])
    assert len({number for _, number in samples}) == IMAGES
    settings = dict(batch_size=1, batch_sampler=dict(type=InBuckets, drop_last=False))
    assert drawn(Seeds(0), **settings) == drawn(Seeds(0))


class Shaken(nn.Module):
    """A model whose steps draw numbers, and which keeps what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list = []

    def train_step(self, data_batch, optim_wrapper):
        self.seen.append((data_batch, float(torch.rand(()))))
        return dict(loss=torch.zeros(()))


def steps_of(tmp_path, begin, workers, kind):
    """What the iterations of a run of six see, from one of them on."""
    model = Shaken()
    runner = Runner(
        model=model,
        work_dir=str(tmp_path / str(begin)),
        train_dataloader=loader_of(Drawn(tries=2), workers, kind),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=6),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        randomness=dict(seed=3),
    )
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.train_loop._iter = begin
    runner._hooks = []
    runner.train_loop.run()
    runner.end_workers()
    return model.seen


@pytest.mark.parametrize(
    ('workers', 'kind'), [(0, 'InfiniteSampler'), (2, 'InfiniteSampler'), (1, 'DefaultSampler')]
)
def test_runs_that_count_iterations(tmp_path, workers, kind):
    whole = steps_of(tmp_path, 0, workers, kind)
    numbers = [batch[1][0] for batch, _ in whole] + [number for _, number in whole]
    assert len(set(numbers)) == 12
    assert steps_of(tmp_path, 5, workers, kind) == whole[5:]


class ByParity(InBuckets):
    """Gathers batches of two even or two odd images, as mmdet's by aspect ratio does."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.gathered = [[], []]

    def __iter__(self):
        for index in self.sampler:
            self.gathered[index % 2].append(index)
            if len(self.gathered[index % 2]) == 2:
                yield self.gathered[index % 2][:]
                self.gathered[index % 2].clear()


def test_a_pass_that_is_left_leaves_nothing_to_the_next():
    loader = loader_of(Drawn(tries=9), workers=0, collate_fn=list)
    batches = ByParity(loader.sampler, 2, False)
    object.__setattr__(loader, 'batch_sampler', batches)
    placed = follow_places(loader, Seeds(0), endless=False)
    placed.done = 0
    indices = []
    for most in (2, 1, 2):
        given = [
            [index for _, index in batch] for batch, _ in zip(placed, range(most), strict=False)
        ]
        indices.append(given)
        placed.done = 0
    assert indices == [[[0, 2], [1, 3]], [[0, 2]], [[0, 2], [1, 3]]]


def test_a_pass_that_was_left_begins_again():
    """mmengine's InfiniteSampler has one generator, which is closed with the pass."""
    sampler = InfiniteSampler(range(5), seed=3)
    batches = PlacedBatches(BatchSampler(sampler, 2, drop_last=False), endless=True)
    found = []
    for done in (0, 0, 3):
        batches.done = done
        left = iter(batches)
        found.append([next(left) for _ in range(8 - done)])
        left.close()
    assert found[0] == found[1] and found[0][3:] == found[2]
