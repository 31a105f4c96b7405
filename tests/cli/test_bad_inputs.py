"""Every mistake of the table ends in one line and its status; nothing is written or replaced."""

import os
import re
import shlex
import shutil
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from rexdense.cli import main
from rexdense.cli.parser import run_command
from tests.cli.bad_inputs.looking import LOOKING
from tests.cli.bad_inputs.row import Bad
from tests.cli.bad_inputs.training import TRAINING
from tests.cli.bad_inputs.using import USING
from tests.cli.bad_inputs.world import WORDS, make_world

TABLE = [*TRAINING, *USING, *LOOKING]
LOG = re.compile(r'run(/\d{8}_\d{6}(/vis_data)?(/\d{8}_\d{6}\.log|/config\.py)?|/[\w.-]+\.py)?')


class World(NamedTuple):
    """The folder of the commands, and what was in it before."""

    root: Path
    before: dict[str, tuple[int, int, int]]


@pytest.fixture(scope='module')
def world(shapes, untrained_models, tmp_path_factory):
    root = make_world(tmp_path_factory.mktemp('world'), shapes, untrained_models)
    return World(root, contents(root))


def contents(folder, name=''):
    """What tells whether a file was written, by its path; of folders, that they are there."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f'{name}{entry.name}'
            if entry.is_dir(follow_symlinks=False):
                found[path] = (0, 0, 0)
                found |= contents(entry.path, f'{path}/')
            else:
                kept = entry.stat(follow_symlinks=False)
                found[path] = (kept.st_ino, kept.st_size, kept.st_mtime_ns)
    return found


def test_the_table_is_as_large_as_it_says():
    assert len(TABLE) >= 240
    assert len({(row.command, *row.variables.items()) for row in TABLE}) == len(TABLE)
    assert {row.status for row in TABLE} == {1, 2}


@pytest.mark.parametrize('row', TABLE, ids=[row.command[:60] for row in TABLE])
def test_mistake(row: Bad, world, monkeypatch, capsys):
    monkeypatch.chdir(world.root)
    for name, text in row.variables.items():
        monkeypatch.delenv(name, raising=False)
        if text is not None:
            monkeypatch.setenv(name, text)
    words = shlex.split(row.command)
    arguments = [part for word in words for part in WORDS.get(word, [word])]
    try:
        with pytest.raises(SystemExit) as ended, warnings.catch_warnings():
            warnings.simplefilter('ignore')
            run_command(main.main, arguments, 'rexdense')
        after = contents(world.root)
    finally:
        shutil.rmtree(world.root / 'run', ignore_errors=True)
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert len(lines) == 1 and re.search(row.expected, lines[0]), printed.err
    assert lines[0].startswith('rexdense: error: ') and 'Traceback' not in printed.out
    assert ended.value.code == row.status
    changed = {name for name, kept in after.items() if world.before.get(name) != kept}
    assert not {name for name in changed if not (row.logs and LOG.fullmatch(name))}
    assert after.keys() >= world.before.keys()
