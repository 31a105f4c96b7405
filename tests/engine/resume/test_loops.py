"""A run that is killed anywhere goes on exactly: steps, epochs, validations, checkpoints."""

import pytest

pytest.importorskip('mmengine')

from benchmarks.kills import differences
from tests.engine.resume.toy_run import FORMS, Killed, last, run, toy_config


@pytest.mark.parametrize('share', [0.1, 0.25, 0.3, 0.45, 0.6, 0.75, 0.9, 0.99])
@pytest.mark.parametrize('form', FORMS)
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
