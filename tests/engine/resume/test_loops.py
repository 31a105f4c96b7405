"""A run that is killed anywhere goes on exactly: steps, epochs, validations, checkpoints."""

import argparse
import signal
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.hooks import Hook

from benchmarks.kills import differences
from rexdense.engine.resume.checkpoints import newest_checkpoint
from rexdense.engine.resume.choice import choose_resumed
from rexdense.engine.resume.stopping import RunStopped
from rexdense.engine.runner import Runner
from rexdense.errors import CheckpointUnreadable
from tests.engine.resume.toy_run import FORMS, Killed, last, run, toy_config


class Gradients(Hook):
    """Note whether there are gradients before the first step."""

    begun = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        there = any(weight.grad is not None for weight in runner.model.parameters())
        self.begun = self.begun or (runner.iter, there)


class Seeds(Hook):
    """Note the seed from which each step draws its random numbers, such as those of dropout."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(torch.initial_seed())


@pytest.mark.parametrize('form', ['epochs', 'iterations'])
def test_each_step_of_each_epoch_draws_other_numbers(tmp_path, form):
    runner = Runner.from_cfg(toy_config(tmp_path, **FORMS[form]))
    seeds = Seeds()
    runner.register_hook(seeds)
    runner.train()
    assert len(set(seeds.seen)) == len(seeds.seen) == 16


@pytest.mark.parametrize(
    ('form', 'share'),
    [
        *(('epochs', share) for share in (0.1, 0.3, 0.45, 0.75, 0.99)),
        *(('iterations', share) for share in (0.25, 0.6, 0.75, 0.9)),
        *(('plateau', share) for share in (0.3, 0.6, 0.9)),
    ],
)
def test_killed_anywhere(undisturbed, tmp_path, form, share):
    whole, events = undisturbed(form)
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=int(share * events), **FORMS[form]))
    run(toy_config(tmp_path, **FORMS[form]), resume=True)
    assert last(tmp_path) == last(whole)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []
    assert {path.name for path in tmp_path.glob('*.pth')} >= {
        path.name for path in whole.glob('best_*.pth')
    }


@pytest.mark.parametrize('form', ['epochs', 'iterations'])
def test_killed_again_and_again_without_checkpoints_in_between(undisturbed, tmp_path, form):
    """From checkpoints of the schedule alone, from steps whose gradients are not yet used."""
    whole, events = undisturbed(form)
    settings = FORMS[form] | dict(every=None)
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=events // 3, **settings))
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=10, **settings), resume=True)
    run(toy_config(tmp_path, **settings), resume=True)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []


@pytest.mark.parametrize(('patience', 'epochs'), [(1, 3), (2, 4)])
def test_a_run_that_has_ended_early_stays_ended(tmp_path, patience, epochs):
    """Unless it is to wait for longer."""
    for resume in (False, True):
        config = toy_config(tmp_path)
        config.custom_hooks[1].patience = patience if resume else 1
        runner = run(config, resume=resume)
        assert runner.epoch == (epochs if resume else 3)


def test_another_number_of_batches_a_step(tmp_path):
    """What was added up for a step of three batches is no part of one of a single batch."""
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=9))
    config = toy_config(tmp_path)
    config.optim_wrapper.accumulative_counts = 1
    choose_resumed(config, argparse.Namespace(resume=True))
    runner = Runner.from_cfg(config)
    hook = Gradients()
    runner.register_hook(hook)
    runner.train()
    assert hook.begun == (4, False)


def test_the_seed_of_a_run_that_is_gone_on_with_by_name(undisturbed, tmp_path):
    whole, events = undisturbed('epochs')
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=events // 2))
    config = toy_config(tmp_path)
    config.randomness.seed = None
    config.update(load_from=str(newest_checkpoint(tmp_path)), resume=True)
    run(config)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []


def test_files_of_the_user_stay(tmp_path):
    """Under names like those of checkpoints, and the best of the run that another goes on from."""
    before = tmp_path / 'before'
    with pytest.raises(RunStopped):
        run(toy_config(before, at=20, how=int(signal.SIGTERM)))
    names = {path.name for path in before.iterdir()}
    assert 'best_score_epoch_1.pth' in names
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/step_of_mine.pth').write_bytes(b'mine')
    (tmp_path / 'run/step_1.pth').mkdir()
    config = toy_config(tmp_path / 'run')
    config.update(load_from=str(newest_checkpoint(before)), resume=True)
    run(config)
    assert {path.name for path in before.iterdir()} == names
    found = {path.name for path in (tmp_path / 'run').glob('*.pth')}
    assert found == {
        *('best_score_epoch_4.pth', 'epoch_3.pth', 'epoch_4.pth'),
        *('step_1.pth', 'step_of_mine.pth'),
    }


def log_of(folder):
    """The lines of the logs of all runs in a folder."""
    return [line for path in folder.glob('*/*.log') for line in path.read_text().splitlines()]


@pytest.mark.parametrize(('batch_size', 'told'), [(4, True), (2, False)])
def test_more_images_a_step_of_a_run_that_counts_iterations(tmp_path, batch_size, told):
    """Such a run leaves out as many batches as were made, whatever their size."""
    with pytest.raises(Killed):
        run(toy_config(tmp_path, by_epoch=False, at=16))
    config = toy_config(tmp_path, by_epoch=False)
    config.train_dataloader.batch_size = batch_size
    config.log_level = 'WARNING'
    run(config, resume=True)
    said = 'a pass over the data was 4 steps, and is 2 here: the run goes on as after '
    assert any(said in line for line in log_of(tmp_path)) == told


def test_gradients_that_are_there_are_not_called_lost(tmp_path):
    """As mmengine calls them wherever a run goes on between two steps of the optimizer."""
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=9))
    config = toy_config(tmp_path)
    config.log_level = 'WARNING'
    run(config, resume=True)
    lines = log_of(tmp_path)
    assert any('performance because the model has BatchNorm layers' in line for line in lines)
    assert not any('lost' in line for line in lines)


def test_a_schedule_that_keeps_functions(tmp_path):
    """As mmengine's OneCycleLR, of whose run no checkpoint could be read."""

    def config(name, **changes):
        changed = toy_config(tmp_path / name, **changes)
        changed.param_scheduler = [
            dict(type='OneCycleLR', eta_max=0.1, total_steps=16, by_epoch=False)
        ]
        return changed

    run(config('whole'))
    with pytest.raises(Killed):
        run(config('killed', at=25))
    run(config('killed'), resume=True)
    name = last(tmp_path / 'whole')
    assert differences(tmp_path / 'whole' / name, tmp_path / 'killed' / name) == []


class KeepsAnything(Hook):
    """A hook whose state is more than numbers."""

    def state_dict(self):
        return dict(anything=Path())

    def load_state_dict(self, state):
        raise AssertionError


def test_what_cannot_be_read_again_is_told_at_once(tmp_path):
    runner = Runner.from_cfg(toy_config(tmp_path))
    runner.register_hook(KeepsAnything())
    said = r'^no run can continue from what this run saves.*step_1\.pth wants to call pathlib\.'
    with pytest.raises(CheckpointUnreadable, match=said):
        runner.train()
    assert runner.iter == 1
