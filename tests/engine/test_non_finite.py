"""A loss or weights that are NaN stop the run before anything is saved from them."""

import re
import shutil

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import train
from rexdense.errors import NonFiniteLoss
from tests.tiny_run import train_arguments


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
    assert [path.name for path in copied.glob('*.pth')] == ['epoch_1.pth']
    assert (copied / 'epoch_1.pth').read_bytes() == before


def test_the_weights_after_the_last_step(shapes, tmp_path):
    # One step, beyond the range of float32: its own loss was still finite.
    settings = ('train_dataloader.dataset.indices=2', 'optim_wrapper.optimizer.lr=1e42')
    with pytest.raises(
        NonFiniteLoss,
        match=r'^\d+ tensors became non-finite at epoch 1, iteration 1 \(\S+, \S+, \S+, \.\.\.\); '
        r'images: .*/images/train/\d+\.png, ',
    ):
        train.main(train_arguments(shapes, tmp_path / 'run', settings=settings))
    assert not list((tmp_path / 'run').glob('*.pth'))
