"""rexdense web: mistakes of its user, before anything is served."""

import sys

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import web
from rexdense.errors import InvalidArgument, MissingDependency
from rexdense.web.server import listen


def test_gradio_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    with pytest.raises(MissingDependency, match=r'^the page: the package gradio is not inst'):
        web.main(['a.pth', '--port', '0'])


def test_the_port_is_in_use():
    with listen(web.HOST, 0) as listening:
        port = str(listening.getsockname()[1])
        with pytest.raises(InvalidArgument, match=f'^port {port} of 127.0.0.1 is in use'):
            web.main(['a.pth', '--port', port])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([], 'the following arguments are required: CHECKPOINT'),
        (['a.pth', '--port', '-1'], 'a whole number of 0 or more'),
        (['a.pth', '--port', '70000'], '--port: 70000: ports go up to 65535'),
        (['a.pth', '--max-size', '0'], "argument --max-size: '0': give a number above 0"),
        (['a.pth', '--max-pixels', 'x'], "argument --max-pixels: 'x': give a number above 0"),
        (['a.pth', '--host', 'no.such.host.invalid', '--port', '0'], 'an address of this machine'),
        (['a.pth', '--hosts', '::'], "did you mean '--host'"),
    ],
)
def test_options_that_are_refused(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        web.main(arguments)
