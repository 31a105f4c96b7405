"""The command rexdense zoo."""

import pytest

from rexdense.zoo import as_text, select, zoo_entries
from tests.forked import Forked, tool


@pytest.fixture(scope='module')
def main():
    from rexdense.cli import zoo

    return zoo.main


def test_the_whole_table_is_printed(main, capsys):
    main([])
    assert capsys.readouterr().out == as_text(zoo_entries()) + '\n'


def test_options_reach_the_selection(main, capsys):
    main(['--family', 'rexnet*', '--max-params', '10M', '--max-macs', '0.9G', '--sort', 'top1'])
    expected = select(zoo_entries(), 'rexnet*', 10**7, 9 * 10**8, 'top1')
    assert capsys.readouterr().out == as_text(expected) + '\n'


def test_a_picture_is_drawn_and_named(main, capsys, tmp_path):
    pytest.importorskip('matplotlib')
    path = tmp_path / 'zoo.png'
    main(['--plot', str(path)])
    assert capsys.readouterr().out == f'wrote {path}\n'
    assert path.read_bytes().startswith(b'\x89PNG')


def test_a_page_is_rendered(main, tmp_path):
    path = tmp_path / 'zoo.md'
    path.write_text('<!-- zoo:begin -->\n<!-- zoo:end -->\n')
    main(['--page', str(path)])
    assert '`rexnet_1.0`' in path.read_text()


def test_a_mistake_is_one_line_and_status_2():
    run = Forked(tool, 'zoo.py', '--family', 'rexnt')
    assert run.wait() == 2 and not run.stdout
    assert len(run.stderr.splitlines()) == 1 and "did you mean 'rexnet'" in run.stderr
