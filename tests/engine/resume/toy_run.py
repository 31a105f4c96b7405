"""A training run of numbers instead of images; all that a checkpoint has to keep is used in it."""

import argparse
import contextlib
import itertools
import os
import signal

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS
from torch import nn
from torch.utils.data import Dataset

from rexdense.device import bare_model, initialise_distributed
from rexdense.engine.resume.checkpoints import checkpoints_of_runs, run_meta
from rexdense.engine.resume.choice import choose_resumed
from rexdense.engine.runner import Runner

IMAGES = 8
_NUMBERS = itertools.count()
# Every figure is the best but these; the eyes of early stopping and of a plateau see the same.
SCORES = (1.0, 3.0, 2.0, 4.0, 3.5, 3.0)
FORMS = {
    'epochs': dict(by_epoch=True),
    'iterations': dict(by_epoch=False),
    'plateau': dict(by_epoch=True, plateau=True),
}


@DATASETS.register_module(force=True)
class Numbers(Dataset):
    """Numbers, augmented by a random one each."""

    def __len__(self):
        return IMAGES

    def __getitem__(self, index):
        return dict(inputs=torch.full((4,), float(index)) + np.random.random())


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """A layer, batch normalisation and dropout."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)
        )

    def forward(self, inputs, mode='loss'):
        found = self.layers(torch.stack(list(inputs)))
        if mode == 'loss':
            return dict(loss=((found - 1) ** 2).mean())
        # Validation takes random numbers, too.
        return [found.mean() + torch.rand(())]


@METRICS.register_module(force=True)
class Scripted(BaseMetric):
    """A score by the epoch or the iteration, and what the model has found."""

    def process(self, data_batch, data_samples):
        self.results += [float(sample) for sample in data_samples]

    def compute_metrics(self, results):
        from mmengine.logging import MessageHub

        step = MessageHub.get_current_instance().get_info('iter')
        return dict(score=SCORES[step // 4 % len(SCORES)], found=float(np.mean(results)))


class Killed(BaseException):
    """What no part of a run can catch, as little as SIGKILL."""


@HOOKS.register_module(force=True)
class KillAt(Hook):
    """End a run at one of its events: steps, batches of validation, checkpoints, all counted."""

    priority = 'LOWEST'
    # What is done instead, where that is how.
    call = None

    def __init__(self, at=-1, how='raise'):
        self.at, self.how, self.seen = at, how, 0

    def _event(self):
        self.seen += 1
        if self.seen == self.at + 1:
            if self.how == 'exit':
                os._exit(9)
            if self.how == 'raise':
                raise Killed
            if self.how == 'call':
                KillAt.call()
            else:
                os.kill(os.getpid(), self.how)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._event()

    def after_train_epoch(self, runner):
        self._event()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._event()

    def after_val_epoch(self, runner, metrics=None):
        self._event()

    def before_save_checkpoint(self, runner, checkpoint):
        self._event()


def toy_config(work_dir, by_epoch=True, every='1i', launcher='none', **changes):
    """A run of 4 epochs of 4 steps, or of 16 iterations: two of them a step of the optimizer."""
    unit = dict(by_epoch=by_epoch)
    loader = dict(dataset=dict(type='Numbers'), batch_size=2, num_workers=0)
    loop = (
        dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=1)
        if by_epoch
        else dict(type='IterBasedTrainLoop', max_iters=16, val_interval=4)
    )
    stop = dict(type='EarlyStoppingHook', monitor='score', rule='greater', patience=3)
    average = dict(type='EMAHook', momentum=0.1, update_buffers=True)
    sampler = dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=True)
    return Config(
        dict(
            model=dict(type='ToyModel'),
            work_dir=str(work_dir),
            # Runs of one second would share their logger and their hub of messages.
            experiment_name=str(next(_NUMBERS)),
            train_dataloader=dict(**loader, sampler=sampler),
            val_dataloader=dict(**loader, sampler=dict(type='DefaultSampler', shuffle=False)),
            train_cfg=loop,
            val_cfg=dict(),
            val_evaluator=dict(type='Scripted'),
            optim_wrapper=dict(
                optimizer=dict(type='Adam', lr=0.05),
                accumulative_counts=3,
                clip_grad=dict(max_norm=1),
            ),
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
                dict(type='ReduceOnPlateauLR', monitor='score', rule='greater', patience=0)
                if changes.pop('plateau', False)
                else dict(type='StepLR', step_size=2, **unit),
            ],
            default_hooks=dict(
                logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=by_epoch),
                checkpoint=dict(
                    type='CheckpointHook',
                    interval=1 if by_epoch else 4,
                    max_keep_ckpts=2,
                    save_best='score',
                    rule='greater',
                    every=every,
                    **unit,
                ),
            ),
            custom_hooks=[average, stop, dict(type='KillAt', **changes)],
            log_processor=dict(window_size=3, **unit),
            randomness=dict(seed=5),
            launcher=launcher,
            default_scope='mmengine',
            log_level='ERROR',
            load_from=None,
            resume=False,
        )
    )


def fill(file):
    """Write a file until its disk is full."""
    with open(file, 'wb', buffering=0) as opened, contextlib.suppress(OSError):
        while opened.write(bytes(4096)):
            pass


def last(folder):
    """The name of the last checkpoint of a run."""
    return (folder / 'last_checkpoint').read_text().rpartition('/')[2]


def run(config, resume=False):
    """Train, or go on; return the runner."""
    if resume:
        choose_resumed(config, argparse.Namespace(resume=True))
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def run_in_group(work_dir, resume=False, kill_at=-1, stop_at=-1, stale=False):
    """Train in one of the processes of a distributed run; the second gets the signal, if any, and,
    with ``stale``, sees the oldest checkpoint alone, as on a disk that machines share."""
    initialise_distributed('cpu')
    config = toy_config(work_dir, launcher='pytorch', at=kill_at, how='exit')
    if stop_at >= 0 and get_rank() == 1:
        config.custom_hooks[-1].update(at=stop_at, how=int(signal.SIGTERM))
    if stale and get_rank() == 1:
        oldest = min(checkpoints_of_runs(work_dir), key=lambda path: run_meta(path)['iter'])
        config.update(load_from=str(oldest), resume=True)
        resume = False
    runner = run(config, resume)
    # The second process's statistics are its own.
    torch.save(bare_model(runner.model).state_dict(), work_dir / f'rank_{get_rank()}.pt')
