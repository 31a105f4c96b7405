"""A loss or weights that are NaN stop the run before anything is saved from them."""

import re
import shutil

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner
from torch import nn

from rexdense.cli import train
from rexdense.engine.hooks.non_finite_loss import StopOnNonFiniteLoss
from rexdense.errors import NonFiniteLoss
from tests.tiny_run import train_arguments


def test_the_check_reads_no_tensor_of_its_own(tmp_path):
    loader = dict(dataset=[0, 1], sampler=dict(type='DefaultSampler', shuffle=False), batch_size=1)
    runner = Runner(
        nn.Linear(1, 1),
        str(tmp_path),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
    )
    check = StopOnNonFiniteLoss()
    runner.register_hook(check)
    kinds = [type(hook) for hook in runner.hooks]
    assert kinds.index(RuntimeInfoHook) < kinds.index(StopOnNonFiniteLoss)
    runner.message_hub.update_scalar('train/loss', 1.0)
    # A tensor on this device has no value to read.
    outputs = dict(loss=torch.zeros((), device='meta'))
    with pytest.raises(RuntimeError, match='meta'):
        float(outputs['loss'])
    check.after_train_iter(runner, 0, None, outputs)
    runner.message_hub.update_scalar('train/loss', torch.tensor(float('inf')))
    with pytest.raises(
        NonFiniteLoss, match=r'^the loss became inf at epoch 1, iteration 1 \(total'
    ):
        check.after_train_iter(runner, 0, None, outputs)


def test_the_loss(trained, shapes, tmp_path):
    copied = shutil.copytree(trained.work_dir, tmp_path / 'run')
    before = (copied / 'epoch_1.pth').read_bytes()
    # Division by zero: the loss of the first iteration is NaN.
    settings = ('model.data_preprocessor.std=[0,0,0]',)
    with pytest.raises(NonFiniteLoss) as caught:
        train.main(train_arguments(shapes, copied, '--epochs', '2', '--resume', settings=settings))
    assert re.fullmatch(
        r'the loss became nan at epoch 2, iteration 4 \(loss_rpn_cls, .*\); images: '
        rf'{shapes}/images/train/\d+\.png, {shapes}/images/train/\d+\.png\. Checkpoints saved '
        rf'before stay in {copied}\. Lower the learning rate \(--lr\), clip gradients, or look at '
        'these images',
        str(caught.value),
    )
    assert [path.name for path in copied.glob('epoch_*.pth')] == ['epoch_1.pth']
    assert (copied / 'epoch_1.pth').read_bytes() == before


@pytest.mark.slow
def test_the_weights_after_the_last_step(shapes, tmp_path):
    # One step, beyond the range of float32: its own loss was still finite.
    settings = ('train_dataloader.dataset.indices=2', 'optim_wrapper.optimizer.lr=1e42')
    with pytest.raises(
        NonFiniteLoss,
        match=r'^\d+ tensors became non-finite at epoch 1, iteration 1 \(\S+, \S+, \S+ and \d+ '
        r'more\); '
        r'images: .*/images/train/\d+\.png, ',
    ):
        train.main(train_arguments(shapes, tmp_path / 'run', settings=settings))
    assert not list((tmp_path / 'run').glob('*.pth'))
