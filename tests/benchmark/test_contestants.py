"""Contestants in interpreters, and one-line errors of those that cannot serve."""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from rexdense.benchmark.contestants import Contestant, contestants_of
from rexdense.errors import InvalidArgument

TASK = dict(
    framework='timm',
    kind='backbone',
    name='rexnet_lite_1.0',
    shape=[1, 3, 33, 33],
    threads=1,
    allocator='default',
    device='cpu',
    dtype='float32',
)


@pytest.mark.parametrize(
    ('interpreter', 'message'),
    [
        (
            '/bin/cat',
            r'^/bin/cat ended while it ran timm \(status 1\): give --peer-python a Python',
        ),
        ('/bin/echo', '^/bin/echo answered .*: give --peer-python a Python interpreter'),
        ('nowhere/python', '^--peer-python nowhere/python: No such file or directory; give a'),
        ('/usr/bin/python3', 'there is no torch; give --peer-python one that has torch'),
    ],
)
def test_what_is_no_interpreter_with_torch(interpreter, message, capfd):
    if interpreter.startswith('/') and not os.path.exists(interpreter):
        pytest.skip(f'{interpreter} is not there')
    with pytest.raises(InvalidArgument, match=message) as caught:
        Contestant(TASK, interpreter)
    assert '\n' not in str(caught.value)


def test_a_process_of_its_own_takes_turns():
    contestant = Contestant(TASK | dict(framework='rexdense'))
    try:
        assert contestant.run() > 0 and contestant.facts['resident'] > 1e7
    finally:
        contestant.close()


def test_an_interrupt_ends_it_without_a_word(capfd):
    contestant = Contestant(TASK | dict(framework='rexdense'))
    os.kill(contestant._process.pid, signal.SIGINT)
    with pytest.raises(InvalidArgument, match=r'ran rexdense \(status -2\): give a smaller shape'):
        contestant.run()
    assert capfd.readouterr().err == ''


def test_a_folder_of_modules_that_is_not_there():
    with pytest.raises(InvalidArgument, match='--peer-path nowhere is no folder: give one'):
        Contestant(TASK, sys.executable, Path('nowhere'))


@pytest.mark.skipif(find_spec('timm') is not None, reason='timm is installed')
def test_an_interpreter_without_the_package():
    with pytest.raises(InvalidArgument, match=r"No module named 'timm'; give --peer-python one"):
        Contestant(TASK, sys.executable)


def test_each_form_competes_with_each_allocator():
    forms = contestants_of('backbone', ('timm',), 'float32', True, ('default', 'reuse'))
    assert len(forms) == 12
    assert forms['timm, compiled, memory reused'] == dict(
        framework='timm', channels_last=True, compiled=True, allocator='reuse'
    )
    lower = contestants_of('backbone', ('timm',), 'bfloat16', False, ('default',))
    assert {name: form.get('dtype') for name, form in lower.items()} == {
        'rexdense': None,
        'rexdense, optimised': 'bfloat16',
        'timm': None,
        'timm, bfloat16': 'bfloat16',
        'timm, channels_last, bfloat16': 'bfloat16',
    }


@pytest.mark.parametrize('kind', ['backbone', 'detector'])
def test_openvino_computes_in_a_lower_type_too(kind):
    forms = contestants_of(kind, ('onnxruntime', 'openvino'), 'bfloat16', False, ('default',))
    assert {name: form.get('dtype') for name, form in list(forms.items())[2:]} == {
        'onnxruntime': None,
        'openvino': None,
        'openvino, bfloat16': 'bfloat16',
    }


def test_an_interpreter_without_what_a_config_needs(tmp_path):
    absent = "raise ModuleNotFoundError(\"No module named 'mmengine'\", name='mmengine')\n"
    (tmp_path / 'mmengine.py').write_text(absent)
    task = TASK | dict(kind='model-step', name='faster-rcnn_rexnet-1.0_fpn_bccd')
    with pytest.raises(InvalidArgument, match='give --peer-python one that has timm and mmengine'):
        Contestant(task, sys.executable, tmp_path)
