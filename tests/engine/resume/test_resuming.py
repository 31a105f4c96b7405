"""Going on with a run, safely and from where it was."""

import json
import math
import shutil
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.hooks import EMAHook

from rexdense.cli import train
from rexdense.engine.resume.checkpoints import newest_checkpoint
from rexdense.engine.resume.hashes import HASHES
from rexdense.engine.resume.loops import PlacedEpochLoop
from rexdense.errors import (
    CheckpointMismatch,
    CheckpointUnreadable,
    InvalidArgument,
    UnknownName,
)
from rexdense.visualization.scalars import read_scalars
from tests.tiny_run import train_arguments


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of the finished run, in a folder of another name, whose checkpoints may be changed."""
    moved = shutil.copytree(trained.work_dir, tmp_path / 'moved')
    (moved / HASHES).unlink()
    return moved


def test_resuming_continues_iterations_and_optimizer(trained, copied, shapes, monkeypatch, capsys):
    before = torch.load(trained.checkpoint, weights_only=False)
    trusting = []
    load = torch.load

    def watched(*arguments, **options):
        trusting.append(options.get('weights_only') is not True)
        return load(*arguments, **options)

    monkeypatch.setattr(torch, 'load', watched)
    train.main(train_arguments(shapes, copied, '--epochs', '2', '--resume'))
    monkeypatch.undo()
    assert trusting and not any(trusting)

    after = torch.load(copied / 'epoch_2.pth', weights_only=False)
    assert (before['meta']['iter'], after['meta']['iter']) == (3, 6)
    assert (before['meta']['epoch'], after['meta']['epoch']) == (1, 2)
    steps = [
        {int(state['step']) for state in content['optimizer']['state'].values()}
        for content in (before, after)
    ]
    assert steps == [{3}, {6}]
    # The rows of both runs, as curves.png shows them.
    scalars = read_scalars(copied)
    assert [row['step'] for row in scalars.training] == [3, 6]
    assert [row['step'] for row in scalars.validation] == [1, 2]
    assert f'checkpoint  {copied / "epoch_2.pth"}' in capsys.readouterr().out


def test_nothing_to_resume(shapes, tmp_path):
    with pytest.raises(
        InvalidArgument, match=f'--resume: no checkpoint in {tmp_path}/new; leave --resume out'
    ):
        train.main(train_arguments(shapes, tmp_path / 'new', '--resume'))
    assert not (tmp_path / 'new').exists()


def cosine(step, steps, rate):
    """The lowest rate is a hundredth of the highest, as in the config."""
    return rate / 100 + (rate - rate / 100) * (1 + math.cos(math.pi * step / steps)) / 2


@pytest.mark.slow
def test_added_epochs_and_a_new_rate(shapes, tmp_path, capsys):
    """Three steps an epoch: 1 epoch, 2 epochs, then 3 at a rate that was given."""
    settings = (
        'default_hooks.logger.interval=1',
        # The last epoch is validated and saved in any case.
        'default_hooks.checkpoint.interval=100',
        'train_cfg.val_interval=100',
    )

    def go(*options):
        train.main(train_arguments(shapes, tmp_path, *options, settings=settings))
        return [row['lr'] for row in read_scalars(tmp_path).training]

    scaled = 0.001 * math.sqrt(2 / 5)
    assert go('--epochs', '1') == pytest.approx([cosine(step, 3, scaled) for step in range(3)])
    rates = go('--epochs', '2', '--resume')
    assert rates[3:] == pytest.approx([cosine(step, 6, scaled) for step in range(3, 6)])
    assert rates[3:] == pytest.approx([3.2e-4, 1.63e-4, 4.8e-5], rel=0.03)
    capsys.readouterr()
    rates = go('--epochs', '3', '--resume', '--lr', '0.01')
    assert rates[6:] == pytest.approx([cosine(step, 9, 0.01) for step in range(6, 9)])
    output = capsys.readouterr().out
    assert 'Learning rate 0.01 for 2 images a step, AdamW: as given' in output
    assert f'learning rate there: {cosine(6, 9, 0.01):.3g}' in output


@pytest.mark.parametrize(('options', 'seed'), [((), 0), (('--seed', '7'), 7)])
@pytest.mark.slow
def test_the_seed_of_a_resumed_run(copied, shapes, options, seed):
    """Its own, which orders the data too, unless another is given."""
    arguments = train_arguments(shapes, copied, '--epochs', '2', '--resume')
    place = arguments.index('--seed')
    del arguments[place : place + 2]
    train.main([*options, *arguments])
    assert torch.load(copied / 'epoch_2.pth', weights_only=False)['meta']['seed'] == seed


@pytest.mark.parametrize('named', [False, True])
def test_resuming_by_a_key_of_the_config(copied, shapes, trained, named, capsys):
    settings = ('resume=True', *([f'load_from={trained.checkpoint}'] if named else []))
    train.main(train_arguments(shapes, copied, settings=settings))
    assert 'resumed epoch: 1, iter: 3' in capsys.readouterr().out


def test_what_is_not_loaded_is_said(copied, shapes, capsys):
    train.main(train_arguments(shapes, copied, '--resume', '--load-from', 'coco.pth'))
    said = f'coco.pth is not loaded, since the run goes on from {copied}/epoch_1.pth'
    assert said in capsys.readouterr().out.splitlines()


def test_another_optimizer_is_refused(copied, shapes):
    settings = ('optim_wrapper.optimizer.type=SGD', 'optim_wrapper.optimizer.fused=False')
    with pytest.raises(CheckpointMismatch, match='holds exp_avg, exp_avg_sq, step of each param'):
        train.main(train_arguments(shapes, copied, '--epochs', '2', '--resume', settings=settings))


@pytest.mark.parametrize(('counts', 'lost'), [(2, 1), (3, 0), (4, 3)])
def test_gradients_that_a_checkpoint_lacks_are_told_of(
    copied, shapes, monkeypatch, capsys, counts, lost
):
    """The checkpoint is of step 3, and of a version that kept none."""
    content = torch.load(copied / 'epoch_1.pth', weights_only=False)
    del content['rexdense_run']
    torch.save(content, copied / 'epoch_1.pth')
    monkeypatch.setattr(PlacedEpochLoop, 'run', lambda loop: None)
    settings = (f'optim_wrapper.accumulative_counts={counts}',)
    train.main(train_arguments(shapes, copied, '--resume', settings=settings))
    said = f'the gradients of {lost} of {counts} batches were not yet stepped with at iteration 3'
    assert (said in capsys.readouterr().out) == bool(lost)


@pytest.mark.parametrize(
    ('epoch', 'step', 'length', 'position', 'said'),
    [
        (0, 2, 3, (0, 2, 2), ''),
        # The last step of an epoch that was not yet ended.
        (0, 3, 3, (0, 3, 3), ''),
        # The epochs of that run had other lengths.
        (1, 4, 4, (1, 3, 0), 'epoch 1 was saved at step 4, and is step 3 with 3 steps an epoch'),
        (1, 6, 4, (1, 4, 1), 'saved after 2 of 4 steps of epoch 2, which has 3 steps here: the ru'),
    ],
)
def test_where_a_run_goes_on(
    copied, shapes, monkeypatch, capsys, epoch, step, length, position, said
):
    """Three steps an epoch. Of the last step of one says a version that kept no such state."""
    content = torch.load(copied / 'epoch_1.pth', weights_only=False)
    content['meta'] |= dict(epoch=epoch, iter=step)
    content['message_hub']['runtime_info'] |= dict(max_epochs=1, max_iters=length)
    content['rexdense_run']['epoch_length'] = length
    if step == 3:
        del content['rexdense_run']
    torch.save(content, copied / 'epoch_1.pth')
    stands = []
    monkeypatch.setattr(
        PlacedEpochLoop,
        'run',
        lambda loop: stands.append((loop.epoch, loop.iter, loop.begun)),
    )
    train.main(train_arguments(shapes, copied, '--epochs', '3', '--resume'))
    assert stands == [position]
    output = capsys.readouterr().out
    assert said in output
    assert ('was saved at step' in output) == (step == length == 4)
    assert ('used twice' in output) == (step == 6)


@pytest.fixture
def average(copied):
    """The averaged weights of the run, and the last ones."""
    content = torch.load(copied / 'epoch_1.pth', weights_only=False)
    last = content['ema_state_dict']
    return content['state_dict'], {key[7:]: last[key] for key in last if key[:7] == 'module.'}


def same(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[key].cpu(), second[key].cpu()) for key in first
    )


def test_without_the_average_a_run_goes_on_from_its_last_weights(
    copied, shapes, average, monkeypatch, capsys
):
    begun = {}

    def keep(loop):
        begun.update({key: value.clone() for key, value in loop.runner.model.state_dict().items()})

    monkeypatch.setattr(PlacedEpochLoop, 'run', keep)
    train.main(train_arguments(shapes, copied, '--resume', settings=('custom_hooks=[]',)))
    averaged, last = average
    assert same(begun, last) and not same(begun, averaged)
    assert 'resumed from the last weights, not from their average (EMA)' in capsys.readouterr().out


def test_an_average_that_begins_with_the_resumed_run(copied, shapes, average, monkeypatch):
    """It begins with the weights of the file, which hold no average of their own."""
    file = copied / 'epoch_1.pth'
    content = torch.load(file, weights_only=False)
    content['state_dict'] = average[1]
    del content['ema_state_dict']
    torch.save(content, file)
    begun = {}

    def keep(loop):
        (hook,) = (hook for hook in loop.runner.hooks if isinstance(hook, EMAHook))
        models = dict(own=loop.runner.model, average=hook.ema_model.module)
        for name, model in models.items():
            begun[name] = {key: value.clone() for key, value in model.state_dict().items()}

    monkeypatch.setattr(PlacedEpochLoop, 'run', keep)
    train.main(train_arguments(shapes, copied, '--resume'))
    assert same(begun['own'], average[1]) and same(begun['average'], average[1])


@pytest.mark.parametrize(
    ('part', 'value'),
    [
        ('message_hub', 5),
        ('message_hub', {'log_scalars': 3}),
        ('optimizer', 'text'),
        ('optimizer', {'state': {}, 'param_groups': 7}),
        ('optimizer', {'state': [1], 'param_groups': [[]]}),
        ('rexdense_run', 3),
        ('rexdense_run', {'epoch_length': 3, 'processes': [{}]}),
    ],
)
def test_parts_of_a_run_that_are_something_else(copied, shapes, part, value):
    content = torch.load(copied / 'epoch_1.pth', weights_only=False)
    torch.save(content | {part: value}, copied / 'epoch_1.pth')
    with pytest.raises(CheckpointUnreadable, match=rf'^{part} in .*epoch_1\.pth is none that'):
        train.main(train_arguments(shapes, copied, '--epochs', '2', '--resume'))


def test_a_seed_that_is_none(copied, shapes):
    # From which it would go on, weights alone.
    next(copied.glob('best_*.pth')).unlink()
    content = torch.load(copied / 'epoch_1.pth', weights_only=False)
    content['meta']['seed'] = 'text'
    torch.save(content, copied / 'epoch_1.pth')
    with pytest.raises(InvalidArgument, match=r"no checkpoint that is whole \(.* says seed 'text'"):
        train.main(train_arguments(shapes, copied, '--epochs', '2', '--resume'))


def test_no_whole_checkpoint_to_resume(copied, shapes):
    for file in copied.glob('*.pth'):
        file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(
        InvalidArgument, match=r'--resume: no checkpoint that is whole \(.*epoch_1\.pth .*\) in '
    ):
        train.main(train_arguments(shapes, copied, '--resume'))


def test_what_a_run_saves_as_it_ends_is_gone_on_with(copied, shapes, monkeypatch):
    """Between the choice of a checkpoint and the lock of the folder."""
    prepare, chosen = train.prepare_work_dir, []

    def end(*arguments):
        content = torch.load(copied / 'epoch_1.pth', weights_only=False)
        content['meta']['iter'] += 1
        torch.save(content, copied / 'step_4.pth')
        (copied / 'epoch_1.pth').unlink()
        return prepare(*arguments)

    monkeypatch.setattr(train, 'prepare_work_dir', end)
    monkeypatch.setattr(train, 'train', lambda config, replace: chosen.append(config.load_from))
    train.main(train_arguments(shapes, copied, '--epochs', '2', '--resume'))
    assert chosen == [str(copied / 'step_4.pth')]


def test_resuming_a_finished_run_reports_it_again(copied, shapes, trained, capsys):
    (copied / 'last_checkpoint').write_text('')
    train.main(train_arguments(shapes, copied, '--resume'))
    output = capsys.readouterr().out
    table = trained.output[
        trained.output.index('\nmetric ') : trained.output.index('\ncheckpoint ')
    ]
    assert table in output
    said = 'last_checkpoint is empty; the newest whole checkpoint is epoch_1.pth'
    assert said in output.splitlines()
    assert f'checkpoint  {copied / "epoch_1.pth"}' in output


def test_checkpoints_of_an_earlier_run_are_kept(trained, shapes):
    before = {path: path.stat().st_mtime_ns for path in trained.work_dir.rglob('*')}
    with pytest.raises(
        InvalidArgument,
        match=r'holds checkpoints of an earlier run \(epoch_1\.pth\): continue it with --resume, '
        'replace it with --overwrite, or choose another --work-dir',
    ):
        train.main(train_arguments(shapes, trained.work_dir))
    assert {path: path.stat().st_mtime_ns for path in trained.work_dir.rglob('*')} == before


@pytest.mark.parametrize('more', [(), ('--overwrite',)])
@pytest.mark.parametrize('name', ['curves.png', 'predictions.png', 'last_checkpoint', None])
def test_files_of_the_user_are_kept(shapes, tmp_path, name, more):
    """Under the names of results, and under that of the config."""
    arguments = train_arguments(shapes, tmp_path, *more)
    file = tmp_path / (name or Path(arguments[0]).name)
    file.write_text('mine')
    with pytest.raises(InvalidArgument, match=r'no run has left there: move the file, or choose'):
        train.main(arguments)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == 'mine'


def test_a_mistake_after_overwrite_costs_nothing(copied, shapes):
    with pytest.raises(
        UnknownName, match=r"no model is called 'mmdet\.FPNN': did you mean 'mmdet\.FPN'"
    ):
        train.main(
            train_arguments(shapes, copied, '--overwrite', settings=('model.neck.type=mmdet.FPNN',))
        )
    assert (copied / 'epoch_1.pth').is_file() and newest_checkpoint(copied)


def test_overwriting_replaces_all_of_the_earlier_run(copied, shapes):
    (copied / 'notes.txt').write_text('mine')
    (copied / 'epoch_7.pth').write_text('old')
    earlier = {path.name for path in copied.iterdir() if path.is_dir()}
    train.main(train_arguments(shapes, copied, '--overwrite'))
    assert {path.name for path in copied.iterdir() if path.is_dir()}.isdisjoint(earlier)
    kept = ['best_coco_bbox_mAP_epoch_1.pth', 'epoch_1.pth']
    assert sorted(path.name for path in copied.glob('*.pth')) == kept
    assert (copied / 'notes.txt').read_text() == 'mine'
    assert len(read_scalars(copied).training) == 1


def test_overwriting_a_folder_of_data_keeps_the_data(shapes, tmp_path):
    root = shutil.copytree(shapes, tmp_path / 'data')
    (root / 'images').rename(root / '20240101_120000')
    before = {path: path.read_bytes() for path in root.rglob('*') if path.is_file()}
    images = ('--images', '20240101_120000')
    train.main(train_arguments(root, root, '--overwrite', *images))
    assert {path: path.read_bytes() for path in before} == before
    assert (root / 'epoch_1.pth').is_file()


def reordered(shapes, target):
    """Copy a folder and give its training file the categories in another order, under new ids."""
    root = shutil.copytree(shapes, target)
    file = root / 'annotations/train.json'
    content = json.loads(file.read_text())
    ids = {category['id']: 90 - category['id'] for category in content['categories']}
    for category in content['categories']:
        category['id'] = ids[category['id']]
    content['categories'].reverse()
    for entry in content['annotations']:
        entry['category_id'] = ids[entry['category_id']]
    file.write_text(json.dumps(content))
    return root


def test_resuming_keeps_the_order_of_the_classes(trained, copied, shapes, tmp_path):
    root = reordered(shapes, tmp_path / 'data')
    arguments = train_arguments(root, copied, '--epochs', '2', '--resume')
    train.main(arguments)
    before, after = (
        torch.load(path, weights_only=False)['meta']['dataset_meta']['classes']
        for path in (trained.checkpoint, copied / 'epoch_2.pth')
    )
    assert tuple(after) == tuple(before)
    # Annotations follow the names, and so does the same run on the folder as it was.
    untouched = shutil.copytree(trained.work_dir, tmp_path / 'untouched')
    train.main(train_arguments(shapes, untouched, '--epochs', '2', '--resume'))
    states = [
        torch.load(folder / 'epoch_2.pth', weights_only=False)['state_dict']
        for folder in (copied, untouched)
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ('options', 'rename', 'expected'),
    [
        ([], 'disc', 'triangle, star, ring, cross, and .* has disc, square, triangle, star'),
        (['--classes', 'circle', 'square'], None, 'has circle, square: give the data with these'),
    ],
)
def test_resuming_with_other_classes(copied, shapes, tmp_path, options, rename, expected):
    root = shutil.copytree(shapes, tmp_path / 'data')
    if rename:
        for split in ('train', 'val'):
            file = root / f'annotations/{split}.json'
            content = json.loads(file.read_text())
            content['categories'][0]['name'] = rename
            file.write_text(json.dumps(content))
    with pytest.raises(InvalidArgument, match=f'^--resume: the run was taught .*{expected}'):
        train.main(train_arguments(root, copied, '--epochs', '2', '--resume', *options))


def test_resuming_without_a_data_root_in_another_order(copied, shapes, tmp_path):
    root = reordered(shapes, tmp_path / 'data')
    shutil.copy(root / 'annotations/train.json', root / 'annotations/val.json')
    settings = (
        f'train_dataloader.dataset.data_root={root}',
        f'val_dataloader.dataset.data_root={root}',
        f'val_evaluator.ann_file={root}/annotations/val.json',
        'model.roi_head.bbox_head.num_classes=6',
    )
    arguments = train_arguments(root, copied, '--epochs', '2', '--resume', settings=settings)
    place = arguments.index('--data-root')
    del arguments[place : place + 2]
    with pytest.raises(
        InvalidArgument,
        match=r'the classes of the training data \(cross, .*\) are not those of the run that is to',
    ):
        train.main(arguments)
