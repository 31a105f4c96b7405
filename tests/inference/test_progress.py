"""Progress bars."""

import io

import pytest

pytest.importorskip('mmengine')

from rexdense.inference.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(total, wanted=True):
    with Progress(total, wanted) as progress:
        for number in range(2):
            progress.advance(f'line {number}')


@pytest.mark.parametrize(
    ('stderr', 'total', 'wanted', 'shown'),
    [
        (Terminal(), 2, True, True),
        (Terminal(), 2, False, False),
        (Terminal(), 1, True, False),
        (io.StringIO(), 2, True, False),
    ],
)
def test_a_bar_on_a_terminal_alone(monkeypatch, capsys, stderr, total, wanted, shown):
    monkeypatch.setattr('sys.stderr', stderr)
    run(total, wanted)
    # Lines of output are whole lines whatever happens on the terminal.
    assert capsys.readouterr().out.splitlines() == ['line 0', 'line 1']
    assert ('2/2' in stderr.getvalue()) == shown
    assert not shown or stderr.getvalue().endswith('\r\x1b[K')
