"""Batch-norm statistics measured anew, against torch's own of the same batches."""

import os
import signal

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from benchmarks.kills import differences
from rexdense.engine.hooks.precise_batch_norm import PreciseBatchNorm
from rexdense.engine.resume.stopping import RunStopped
from rexdense.errors import InvalidArgument
from tests.runner_of_images import runner_of_images

IMAGES = [dict(inputs=torch.randn(3, 4, 4) * (1 + index) + index) for index in range(8)]


class Small(BaseModel):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1)
        self.norm = nn.BatchNorm2d(5)
        self.frozen = nn.BatchNorm2d(5)

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, inputs, data_samples=None, mode='tensor'):
        maps = self.frozen(self.norm(self.conv(torch.stack(list(inputs)))))
        return dict(loss=maps.square().mean()) if mode == 'loss' else maps


class Stopped(Small):
    """A model whose run gets SIGTERM as its statistics are measured with the first batch."""

    measured = 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'tensor':
            self.measured += 1
            os.kill(os.getpid(), signal.SIGTERM)
        return super().forward(inputs, data_samples, mode)


def trained(work_dir, *hooks):
    settings = dict(
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), custom_hooks=list(hooks)
    )
    return runner_of_images(Small(), IMAGES, work_dir, **settings).train()


@pytest.mark.parametrize(('num_samples', 'batches'), [(8192, 2), (8, 2), (4, 1), (1, 1)])
def test_the_layers_get_the_mean_of_their_batches(tmp_path, num_samples, batches):
    model = trained(tmp_path, PreciseBatchNorm(num_samples))
    maps = [
        model.conv(torch.stack([image['inputs'] for image in IMAGES[4 * i : 4 * i + 4]])).detach()
        for i in range(batches)
    ]
    means = torch.stack([batch.mean((0, 2, 3)) for batch in maps]).mean(0)
    variances = torch.stack([batch.var((0, 2, 3)) for batch in maps]).mean(0)
    torch.testing.assert_close(model.norm.running_mean, means)
    torch.testing.assert_close(model.norm.running_var, variances)
    assert model.norm.momentum == 0.1


def test_frozen_statistics_stay(tmp_path):
    model = trained(tmp_path, PreciseBatchNorm())
    assert (model.frozen.running_mean == 0).all()
    assert (model.frozen.running_var == 1).all()


def test_an_average_of_the_weights_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match='EMAHook'):
        trained(tmp_path, PreciseBatchNorm(), dict(type='EMAHook'))


def test_a_run_that_counts_iterations_is_refused(tmp_path):
    """It is saved and validated before its only epoch ends."""
    settings = dict(
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), custom_hooks=[PreciseBatchNorm()]
    )
    runner = runner_of_images(
        Small(), IMAGES, tmp_path, train_cfg=dict(by_epoch=False, max_iters=2), **settings
    )
    with pytest.raises(InvalidArgument, match='counts iterations'):
        runner.train()


def test_the_runner_of_mmengine_measures_too(tmp_path, monkeypatch):
    monkeypatch.setattr('tests.runner_of_images.Runner', Runner)
    model = trained(tmp_path, PreciseBatchNorm(4))
    maps = model.conv(torch.stack([image['inputs'] for image in IMAGES[:4]])).detach()
    torch.testing.assert_close(model.norm.running_mean, maps.mean((0, 2, 3)))


@pytest.mark.parametrize('num_samples', [0, -1, 1.5, 'all'])
def test_a_number_of_images_is_needed(num_samples):
    with pytest.raises(InvalidArgument, match='num_samples'):
        PreciseBatchNorm(num_samples)


def test_a_run_that_is_asked_to_stop_measures_no_further(tmp_path):
    """It goes on with the whole measurement, and ends as one that was not stopped."""

    def runner(kind, name, **settings):
        torch.manual_seed(0)
        settings |= dict(
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[PreciseBatchNorm()],
            randomness=dict(seed=0),
            # Runs of one second would share their log.
            experiment_name=f'{name} {kind.__name__}',
        )
        return runner_of_images(kind(), IMAGES, tmp_path / name, **settings)

    runner(Small, 'whole').train()
    stopped = runner(Stopped, 'stopped')
    with pytest.raises(RunStopped, match='stopped by SIGTERM after iteration 2') as caught:
        stopped.train()
    assert stopped.model.measured == 1
    runner(Small, 'stopped', load_from=str(caught.value.file), resume=True).train()
    files = [tmp_path / name / 'epoch_2.pth' for name in ('whole', 'stopped')]
    assert differences(*files) == []
