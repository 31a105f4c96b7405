"""Batch-norm statistics measured anew, against torch's own of the same batches."""

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from rexdense.engine.hooks.precise_batch_norm import PreciseBatchNorm
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


@pytest.mark.parametrize('num_samples', [0, -1, 1.5, 'all'])
def test_a_number_of_images_is_needed(num_samples):
    with pytest.raises(InvalidArgument, match='num_samples'):
        PreciseBatchNorm(num_samples)
