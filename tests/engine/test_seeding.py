"""Random numbers by place: the same after an interruption, others in each epoch and sample."""

import numpy as np
import pytest
from torch.utils.data import Dataset

pytest.importorskip('mmengine')

from rexdense.engine.runner import Runner
from rexdense.engine.seeding import SampleSeeds


class Drawn(Dataset):
    """A data set of mmengine's kind whose samples are random numbers; sample 0 fails at first."""

    metainfo: dict = {}

    def __init__(self) -> None:
        self.tries = 0

    def __len__(self) -> int:
        return 4

    def prepare_data(self, idx):
        if idx == 0 and self.tries < 2:
            self.tries += 1
            return None
        return int(idx), float(np.random.random())

    def __getitem__(self, idx):
        while (sample := self.prepare_data(idx)) is None:
            idx = np.random.randint(4)
        return sample


def drawn(seeds, epoch, workers=2):
    loader = Runner.build_dataloader(
        dict(
            dataset=Drawn(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
            num_workers=workers,
        ),
        seed=0,
    )
    loader.worker_init_fn.seeds = seeds
    seeds.epoch.fill_(epoch)
    return [tuple(value for (value,) in batch) for batch in loader]


def test_an_epoch_s_samples_do_not_depend_on_what_came_before():
    first, second = SampleSeeds(0), SampleSeeds(0)
    epochs = [drawn(first, epoch) for epoch in range(2)]
    assert drawn(second, 1) == epochs[1]
    assert drawn(second, 1, workers=1)[1:] == epochs[1][1:]
    numbers = [number for epoch in epochs for _, number in epoch[1:]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize('other', [SampleSeeds(1), SampleSeeds(0, rank=1)])
def test_another_seed_or_process_draws_others(other):
    assert drawn(other, 0)[1:] != drawn(SampleSeeds(0), 0)[1:]


def test_repeats_of_a_sample_differ():
    class Repeated(int):
        repeat = 1

    data, seeds = Drawn(), SampleSeeds(0)
    seeds.seed_samples(data)
    assert data[1] == data[1] != data[Repeated(1)]
