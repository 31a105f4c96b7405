"""Fixtures of the tests of resumed runs."""

import subprocess

import pytest


@pytest.fixture(scope='session')
def undisturbed(tmp_path_factory, quick_configs):
    """The folder of a whole run of a form, and the number of its events."""
    pytest.importorskip('mmengine')
    from tests.engine.resume.toy_run import FORMS, KillAt, run, toy_config

    made = {}

    def whole(form):
        if form not in made:
            folder = tmp_path_factory.mktemp('toys') / form
            runner = run(toy_config(folder, **FORMS[form]))
            (hook,) = (hook for hook in runner.hooks if isinstance(hook, KillAt))
            made[form] = folder, hook.seen
        return made[form]

    return whole


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    command = ['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip('file systems cannot be mounted here')
    yield folder
    # Logs may still be open.
    subprocess.run(['umount', '--lazy', str(folder)], check=True)
