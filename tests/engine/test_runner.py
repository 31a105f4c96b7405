"""mmengine's Runner as the programs use it."""

import contextlib
import logging
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import ConcatDataset

import rexdense
from rexdense.datasets.skipping import skipped_images
from rexdense.engine.hooks.images import ReportSkippedImages
from rexdense.engine.resume.checkpoints import newest_checkpoint
from rexdense.engine.runner import Runner
from rexdense.engine.trained.file import read_training_file
from rexdense.engine.work_dir import RemoveEarlierRuns
from rexdense.errors import CheckpointMismatch, InvalidArgument


class Model(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, mode):
        if mode == 'predict':
            return inputs
        return dict(loss=self.layer(torch.stack(inputs)).mean())


class Numbers(torch.utils.data.Dataset):
    skipped_images = 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index):
        type(self).skipped_images += 1
        return dict(inputs=torch.ones(1))


@pytest.fixture
def build(tmp_path, fresh_mmengine):
    """Make runners in one folder."""

    def build(epochs=1, model=None, workers=None, train_cfg=None, **options):
        collate = dict(type='pseudo_collate')
        loader = dict(dataset=Numbers(), batch_size=2, num_workers=0, collate_fn=collate)
        loader |= workers or {}
        return Runner(
            model or Model(),
            str(tmp_path / 'run'),
            train_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
            train_cfg=train_cfg or dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            experiment_name=f'run{epochs}',
            **options,
        )

    Numbers.skipped_images = 0
    return build


class Normalised(Model):
    """A model with a batch norm that gets one value per channel if an image comes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))

    def forward(self, inputs, mode):
        return dict(loss=self.part(torch.stack(inputs)[..., None, None]).mean())


def test_a_batch_of_one_image_trains_norms_of_other_projects(build):
    runner = build(model=Normalised(), workers=dict(batch_size=1))
    runner.train()
    norm = runner.model.part[1]
    assert runner.iter == 2 and norm.num_batches_tracked == 0
    assert not norm._forward_hooks and not norm._forward_pre_hooks


def test_terminal_has_no_dumps_and_no_known_noise(build, capsys):
    runner = build()
    capsys.readouterr()
    runner.logger.info('one line')
    runner.logger.info('\n'.join(['a dump'] * 40))
    runner.logger.warning('The model and loaded state dict do not match exactly\n\nsize mismatch')
    output = capsys.readouterr().out
    assert output.count('\n') == 1 and output.endswith('one line\n')
    text = next(Path(runner.log_dir).glob('*.log')).read_text()
    assert text.count('a dump') == 40 and 'size mismatch' in text


def test_the_run_ends_when_nobody_reads_its_output(build):
    runner = build()
    (handler,) = (
        handler for handler in runner.logger.handlers if type(handler) is logging.StreamHandler
    )
    reading, writing = os.pipe()
    os.close(reading)
    # Closing tries once more to write what is left.
    with contextlib.suppress(BrokenPipeError), open(writing, 'w', buffering=1) as pipe:
        handler.setStream(pipe)
        with pytest.raises(BrokenPipeError):
            runner.logger.info('one line')
    handler.stream = sys.stdout


def test_checkpoints_are_whole_or_not_there(build, tmp_path, monkeypatch):
    build().train()
    folder = tmp_path / 'run'
    assert newest_checkpoint(folder) == folder / 'epoch_1.pth'
    before = (folder / 'epoch_1.pth').read_bytes()
    state = torch.load(folder / 'epoch_1.pth', weights_only=False)['state_dict']

    def full_disk(checkpoint, filename, **options):
        with open(filename, 'wb') as file:
            file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('mmengine.runner.runner.save_checkpoint', full_disk)
    with pytest.raises(
        InvalidArgument,
        match=r'epoch_2\.pth cannot be written \(No space left .*: make room .*, then go on',
    ):
        build(epochs=2, load_from=str(folder / 'epoch_1.pth'), resume=True).train()
    assert (folder / 'epoch_1.pth').read_bytes() == before
    assert newest_checkpoint(folder) == folder / 'epoch_1.pth'
    assert [path.name for path in folder.glob('*.pt*')] == ['epoch_1.pth']
    assert [path.name for path in folder.glob('.*')] == []
    assert set(state) == {'layer.weight', 'layer.bias'}


@pytest.mark.parametrize(
    ('state', 'expected'),
    [
        ({'layer.weight': torch.ones(1, 1)}, '1 missing (layer.bias)'),
        (
            {'layer.weight': torch.ones(2, 1), 'layer.bias': torch.ones(1), 'a': torch.ones(1)},
            '1 of another shape (layer.weight (2, 1) where the model has (1, 1)); 1 left over (a)',
        ),
    ],
)
@pytest.mark.parametrize('wrapped', [True, False])
def test_weights_must_fit(build, tmp_path, state, expected, wrapped):
    path = tmp_path / 'weights.pth'
    torch.save({'state_dict': state} if wrapped else state, path)
    with pytest.raises(CheckpointMismatch) as caught:
        build(load_from=str(path)).train()
    assert f'{path} does not fit this model: {expected}. Use the config' in str(caught.value)


@pytest.mark.parametrize(
    ('train_cfg', 'persistent'),
    [
        (dict(by_epoch=True, max_epochs=2), True),
        (dict(by_epoch=False, max_iters=2), False),
        (dict(by_epoch=False, max_iters=2), True),
    ],
)
def test_a_training_leaves_no_processes_of_loaders(build, train_cfg, persistent):
    """Of which the garbage collector would wait for each for ten seconds."""
    workers = dict(num_workers=1, persistent_workers=persistent)
    runner = build(workers=workers, train_cfg=train_cfg)
    runner.train()
    assert not multiprocessing.active_children()
    # The loader can be used again.
    assert len(next(iter(runner.train_dataloader))['inputs']) == 2
    runner.end_workers()
    assert not multiprocessing.active_children()


class Measuring(Hook):
    """Measures once within a training."""

    def __init__(self, measure):
        self.measure = measure

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 0:
            getattr(runner, self.measure)()


class Counted(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return dict(images=sum(results))


def measuring(name, **workers):
    """The three sections of a split that is measured."""
    sampler = dict(type='DefaultSampler', shuffle=False)
    loader = dict(dataset=Numbers(), sampler=sampler) | workers
    return {f'{name}_dataloader': loader, f'{name}_cfg': {}, f'{name}_evaluator': [Counted()]}


@pytest.mark.parametrize(
    ('train_cfg', 'persistent', 'measure'),
    [
        (dict(by_epoch=True, max_epochs=1), True, 'test'),
        (dict(by_epoch=False, max_iters=4), False, 'test'),
        (dict(by_epoch=True, max_epochs=1), True, 'val'),
    ],
)
def test_a_training_goes_on_after_measuring_within_it(build, train_cfg, persistent, measure):
    many = ConcatDataset([Numbers()] * 4)
    runner = build(
        workers=dict(dataset=many, num_workers=1, persistent_workers=persistent),
        train_cfg=train_cfg,
        **measuring(measure),
    )
    runner.register_hook(Measuring(measure))
    runner.train()
    assert runner.iter == 4


def test_measuring_leaves_no_processes_of_loaders(build):
    runner = build(**measuring('val', num_workers=1, persistent_workers=True))
    for _ in range(2):
        assert runner.val() == dict(images=2)
        assert not multiprocessing.active_children()


class KilledLoader(Hook):
    """Kills a process of the loader while it is ended, after an error or none."""

    def __init__(self, error):
        self.error = error

    def after_train(self, runner):
        (process,) = multiprocessing.active_children()
        join = process.join

        def killed(timeout=None):
            process.kill()
            time.sleep(0.2)
            join(timeout)

        process.join = killed
        if self.error:
            raise self.error


@pytest.mark.parametrize('error', [None, ValueError('the first error')])
def test_a_loader_killed_as_it_ends_changes_nothing(build, error):
    runner = build(workers=dict(num_workers=1, persistent_workers=True))
    runner.register_hook(KilledLoader(error))
    with pytest.raises(ValueError, match='the first') if error else contextlib.nullcontext():
        runner.train()
    assert runner.has_ended and not multiprocessing.active_children()


def test_weights_alone_are_loaded(build, tmp_path):
    state = {'layer.weight': torch.full((1, 1), 3.0), 'layer.bias': torch.ones(1)}
    torch.save(state, tmp_path / 'weights.pth')
    runner = build(load_from=str(tmp_path / 'weights.pth'))
    runner.load_or_resume()
    assert runner.model.layer.weight.item() == 3


def test_skipped_images_are_told_when_they_grow(build, capsys):
    runner = build(epochs=3, custom_hooks=[ReportSkippedImages()])
    capsys.readouterr()
    runner.train()
    lines = [line for line in capsys.readouterr().out.splitlines() if 'could not be used' in line]
    assert [line.split(' - ')[-1].split()[0] for line in lines] == ['2', '4', '6']


def test_skipped_images_below_wrappers():
    class Wrapper:
        def __init__(self, *parts):
            if len(parts) == 1:
                self.dataset = parts[0]
            else:
                self.datasets = parts

    part = Numbers()
    part.skipped_images = 3
    assert skipped_images(Wrapper(Wrapper(part, Wrapper(part)), part)) == 9
    assert skipped_images(object()) == 0


def test_earlier_runs_stay_until_training_begins(build, tmp_path):
    build().train()
    old = tmp_path / 'run/20200101_000000'
    old.mkdir()
    (old / f'{old.name}.log').touch()
    runner = build(epochs=2, custom_hooks=[RemoveEarlierRuns()])
    assert old.exists() and (tmp_path / 'run/epoch_1.pth').exists()
    runner.train()
    written = sorted(path.name for path in (tmp_path / 'run').glob('*.pth'))
    assert not old.exists()
    assert written == ['epoch_1.pth', 'epoch_2.pth']


class Detector(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = rexdense.create_backbone('resnext50_32x4d', out_indices=(1,))

    def forward(self, inputs, mode):
        return dict(loss=self.backbone(torch.ones(2, 3, 32, 32))[0].mean())


def test_the_pooling_that_weights_turned_on_is_stored_and_restored(build, tmp_path):
    config = Config(dict(model=dict(backbone=dict(type='rexdense.ResNeXt'))))
    first = build(model=Detector(), cfg=config)
    # As load_weights does for MindCV's.
    first.model.backbone.pool_padding = 'same'
    first.train()
    checkpoint = tmp_path / 'run/epoch_1.pth'
    stored = read_training_file(checkpoint).config()
    assert stored.model.backbone.pool_padding == 'same'

    second = build(epochs=2, model=Detector(), load_from=str(checkpoint))
    assert second.model.backbone.pool_padding == 'symmetric'
    second.load_or_resume()
    assert second.model.backbone.pool_padding == 'same'


@pytest.mark.parametrize('ending', ['.py', '.json'])
def test_measuring_leaves_the_config_of_the_training(build, tmp_path, ending):
    mine = Config(dict(lr=0.1))
    object.__setattr__(mine, '_filename', f'configs/mine{ending}')
    build(cfg=mine)
    copy = tmp_path / f'run/mine{ending}'
    assert Config.fromfile(copy).lr == 0.1
    text = copy.read_text()
    object.__setattr__(mine, '_cfg_dict', Config(dict(lr=None))._cfg_dict)
    measuring = Runner(Model(), str(tmp_path / 'run'), experiment_name='measuring', cfg=mine)
    assert copy.read_text() == text
    assert Config.fromfile(Path(measuring.log_dir, 'vis_data/config.py')).lr is None
