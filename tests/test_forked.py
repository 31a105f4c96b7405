"""Forked processes end like new Python processes, and end all that they have started."""

import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip('torch')

from tests.forked import RUNNING, Forked


@pytest.mark.parametrize(
    ('code', 'status'), [(None, 0), (0, 0), (3, 3), (256, 1), (-1, 255), ('a reason', 1)]
)
def test_the_status_is_that_of_python(code, status):
    process = Forked(sys.exit, code)
    assert process.wait(30) == status
    assert process.stderr == ('a reason\n' if status == 1 and code != 256 else '')


def test_one_that_cannot_print_fails_and_ends():
    """Its final flush raises, and it must not continue the tests as a second process."""
    process = Forked(lambda: sys.stdout.close())
    assert process.wait(30) == 1
    assert 'ValueError: I/O operation on closed file' in process.stderr


def leave_a_child():
    child = subprocess.Popen(['sleep', '60'])
    print(child.pid, flush=True)


def test_children_end_with_it():
    process = Forked(leave_a_child)
    assert process.wait(30) == 0
    child = int(process.stdout)
    os.kill(child, 0)
    process.kill()
    # It is not our child: it is gone, or a zombie.
    for _ in range(100):
        state = subprocess.run(
            ['ps', '-o', 'stat=', '-p', str(child)], capture_output=True, text=True, check=False
        ).stdout.strip()
        if state[:1] in ('', 'Z'):
            return
    pytest.fail(f'{child} is there')


def test_those_that_run_are_known():
    process = Forked(signal.pause)
    assert process in RUNNING
    process.kill()
    assert process not in RUNNING and process.returncode == -signal.SIGKILL
