"""mmengine's runner with rexdense's reader: its files resume, and no other reader remains."""

import zipfile

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner
from mmengine.runner.checkpoint import load_checkpoint
from torch.utils.data import Dataset

from rexdense.checkpoint import install_safe_loader, read_checkpoint
from rexdense.checkpoint.formats.unwrapping import unwrap
from rexdense.errors import CheckpointUnreadable
from tests.checkpoint.crafted_files import write_crafted


class Line(Dataset):
    metainfo = {'classes': ('a', 'b'), 'palette': [(1, 2, 3)], 'weights': np.array([0.5, 2.0])}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return {'inputs': torch.tensor([float(index)])}


class Slope(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        return {'loss': (self.layer(inputs) - inputs).square().mean()}


@pytest.fixture(autouse=True)
def safe_loader():
    install_safe_loader()


def run(work_dir, epochs, **options):
    runner = Runner(
        Slope(),
        str(work_dir),
        train_dataloader=dict(
            dataset=Line(),
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=dict(type='StepLR', step_size=1),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=[dict(type='EMAHook')],
        default_scope='mmengine',
        experiment_name=f'{work_dir.name}_{epochs}_{len(options)}',
        **options,
    )
    runner.train()
    return runner


def test_a_training_file_is_read_whole_and_resumed(tmp_path):
    first = run(tmp_path, 1)
    content = read_checkpoint(tmp_path / 'epoch_1.pth').content
    history = content['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    np.testing.assert_array_equal(
        history.data[0], first.message_hub.get_scalar('train/loss').data[0]
    )
    assert history.mean() == first.message_hub.get_scalar('train/loss').mean()
    np.testing.assert_array_equal(content['meta']['dataset_meta']['weights'], [0.5, 2.0])

    resumed = run(tmp_path, 2, resume=True)
    assert (resumed.epoch, resumed.iter) == (2, 4)
    assert read_checkpoint(tmp_path).content['meta']['epoch'] == 2


def test_load_from_fills_the_model(tmp_path):
    first = run(tmp_path / 'first', 1)
    second = Runner(
        Slope(), str(tmp_path / 'second'), load_from=str(tmp_path / 'first' / 'epoch_1.pth')
    )
    second.load_or_resume()
    saved = read_checkpoint(tmp_path / 'first' / 'epoch_1.pth').content['state_dict']
    assert torch.equal(second.model.layer.weight, saved['layer.weight'])
    assert first.model.layer.weight.shape == second.model.layer.weight.shape


@pytest.mark.parametrize('options', [{}, {'resume': True}])
@pytest.mark.parametrize('kind', ['torch zip', 'torch before 1.6', 'pickle protocol 4'])
def test_neither_load_from_nor_resume_runs_a_crafted_file(kind, options, tmp_path):
    write_crafted(kind, tmp_path / 'weights.pth', tmp_path / 'written')
    with pytest.raises(CheckpointUnreadable):
        run(tmp_path / tmp_path.name, 1, load_from=str(tmp_path / 'weights.pth'), **options)
    assert not (tmp_path / 'written').exists()


def test_the_average_and_the_last_weights_are_told_apart(tmp_path):
    runner = run(tmp_path, 1)
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, EMAHook))
    content = read_checkpoint(tmp_path / 'epoch_1.pth').content
    average = hook.ema_model.module.layer.weight
    assert not torch.equal(average, runner.model.layer.weight)
    # mmengine stores the average as the main weights.
    for ema in (True, None):
        state = unwrap(content, ema=ema)
        assert torch.equal(state.tensors['layer.weight'], average)
        assert 'ema=False' in state.note
    last = unwrap(content, ema=False)
    assert last.tensors.keys() == runner.model.state_dict().keys()
    assert torch.equal(last.tensors['layer.weight'], runner.model.layer.weight)
    assert 'ema=True' in last.note


def test_numbers_written_under_the_other_numpy_are_read(tmp_path):
    written, other = tmp_path / 'written.pth', tmp_path / 'other.pth'
    torch.save({'number': np.float64(0.5), 'array': np.arange(3, dtype=np.uint8)}, written)
    modules = ('numpy.core.multiarray', 'numpy._core.multiarray')
    here, there = modules if np.__version__.startswith('1.') else modules[::-1]
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(other, 'w') as copy:
        for name in source.namelist():
            copy.writestr(name, source.read(name).replace(here.encode(), there.encode()))
    for path in (written, other):
        content = read_checkpoint(path).content
        assert content['number'] == 0.5
        np.testing.assert_array_equal(content['array'], [0, 1, 2])
    assert there.encode() in zipfile.ZipFile(other).read('written/data.pkl')


@pytest.mark.parametrize('prefix', ['', 'http://', 'https://', 'open-mmlab://', 'mmcls://'])
def test_every_route_of_mmengine_is_replaced(prefix):
    loader = CheckpointLoader._get_checkpoint_loader(f'{prefix}name')
    assert loader.__module__ == 'rexdense.checkpoint.mmengine_loader'


def test_no_prefix_of_mmengine_is_forgotten():
    modules = {loader.__module__ for loader in CheckpointLoader._schemes.values()}
    assert modules == {'rexdense.checkpoint.mmengine_loader'}


@pytest.mark.parametrize('address', ['s3://bucket/a.pth', 'pavi://a', 'openmmlab:s3://b/a.pth'])
def test_stores_that_are_not_read_are_refused(address):
    with pytest.raises(CheckpointUnreadable, match='download it and give the file'):
        load_checkpoint(torch.nn.Linear(1, 1), address)
