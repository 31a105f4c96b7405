"""Trainings that end after their first steps."""

import signal

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from rexdense.engine.report.dry_run import FirstSteps, StepsDone
from tests.runner_of_images import runner_of_images


class Small(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=self.layer(torch.stack(list(inputs))).square().mean())


class Stop(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        signal.raise_signal(signal.SIGTERM)


def first_steps(work_dir, accumulate, *hooks):
    images = [dict(inputs=torch.full((3,), float(index))) for index in range(40)]
    optimizer = dict(type='Adam', lr=0.1)
    steps = FirstSteps()
    runner = runner_of_images(
        Small(),
        images,
        work_dir,
        optim_wrapper=dict(optimizer=optimizer, accumulative_counts=accumulate),
        custom_hooks=[steps, *hooks],
        default_hooks=dict(checkpoint=None),
    )
    return runner, steps


@pytest.mark.parametrize(('accumulate', 'number'), [(1, 2), (2, 3), (7, 3)])
def test_moments_and_gradients_are_there(tmp_path, accumulate, number):
    """What the memory of a step is measured with."""
    runner, steps = first_steps(tmp_path, accumulate)
    with pytest.raises(StepsDone):
        runner.train()
    assert len(steps.seconds) == number and steps.steps == 20
    assert len(runner.optim_wrapper.optimizer.state) == 2
    assert (runner.model.layer.weight.grad is not None) == (accumulate == 7)


def test_a_signal_ends_it_and_nothing_is_saved(tmp_path):
    runner, steps = first_steps(tmp_path, 1, Stop())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert len(steps.seconds) == 1 and not list(tmp_path.glob('*.pth'))
