"""Functions in forked processes, single or as the processes of a distributed run.

A new Python process needs five seconds to import torch and mmdet; a fork has them already.
"""

import contextlib
import os
import runpy
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

RUNNING: set['Forked'] = set()
"""Processes that have not been seen to end; conftest.py ends those that failed tests left."""


class Forked:
    """A function in its own process, a session leader, with its output in files.

    Args:
        function: The function. Its end determines the exit status: 0, the status of a
            ``SystemExit`` as in Python, or 1 after a traceback.
        arguments: Its arguments.
        environment: Additional environment variables.
    """

    def __init__(self, function: Callable, *arguments, **environment: str) -> None:
        self._files = [tempfile.NamedTemporaryFile('w+') for _ in range(2)]  # noqa: SIM115
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(function, arguments, environment)
        RUNNING.add(self)

    def _become(self, function, arguments, environment) -> None:
        status = 1
        try:
            os.setsid()
            # In the background of a shell, the tests would ignore SIGINT.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number, file in enumerate(self._files, start=1):
                os.dup2(file.fileno(), number)
            sys.stdout, sys.stderr = (open(n, 'w', 1, closefd=False) for n in (1, 2))  # noqa: SIM115
            os.environ.update(environment, OMP_NUM_THREADS='1')
            # The fork does not have the parent's threads, and must not wait for them.
            torch.set_num_threads(1)
            cv2.setNumThreads(0)
            function(*arguments)
            # A failing flush counts as an error, too.
            sys.stdout.flush()
            status = 0
        except SystemExit as ended:
            status = _status(ended.code)
        except BaseException:
            traceback.print_exc()
        finally:
            # The fork must end here, or it would continue the tests as a second process.
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
            with contextlib.suppress(BaseException):
                sys.stderr.flush()
            os._exit(status)

    @property
    def stdout(self) -> str:
        """The standard output so far."""
        return Path(self._files[0].name).read_text()

    @property
    def stderr(self) -> str:
        """The standard error so far."""
        return Path(self._files[1].name).read_text()

    def poll(self) -> int | None:
        """Return the exit status, minus the signal that killed it, or None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                RUNNING.discard(self)
        return self.returncode

    def wait(self, timeout: float = 120) -> int:
        """Wait for the end of the process.

        Raises:
            TimeoutError: it was still running after so many seconds, and was killed.
        """
        return self._wait_until(lambda: self.poll() is not None, timeout)

    def wait_for(self, text: str, timeout: float = 120) -> None:
        """Wait until it has printed a text, or has ended."""
        self._wait_until(lambda: text in self.stdout or self.poll() is not None, timeout)

    def _wait_until(self, reached: Callable[[], bool], timeout: float) -> int | None:
        end = time.monotonic() + timeout
        while not reached():
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f'still running: {self.stdout[-2000:]}{self.stderr[-2000:]}')
            time.sleep(0.01)
        return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM if it is running."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and its children, also those that outlive it."""
        if self.poll() is None:
            # It may not yet be the leader of a session.
            os.kill(self.pid, signal.SIGKILL)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            RUNNING.discard(self)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _status(code: int | str | None) -> int:
    """Return the exit status of Python after ``sys.exit(code)``."""
    if code is None:
        return 0
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        return 1
    # The exit status has eight bits, in which 256 would become a success.
    return code & 0xFF or int(code != 0)


def rexdense(arguments: list[str]) -> None:
    """Run the ``rexdense`` command in a fork."""
    from rexdense.cli.main import run

    sys.argv = ['rexdense', *arguments]
    run()


def tool(name: str, *arguments: str) -> None:
    """Run a program of ``tools`` in a fork."""
    path = Path(__file__).resolve().parents[1] / 'tools' / name
    sys.argv = [str(path), *arguments]
    runpy.run_path(str(path), run_name='__main__')


def fork_together(function: Callable, *arguments, processes: int = 2) -> list[Forked]:
    """Start a function in the processes of a distributed run, like torchrun and Slurm."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    count = str(processes)
    common = dict(WORLD_SIZE=count, LOCAL_WORLD_SIZE=count, MASTER_ADDR='127.0.0.1')
    return [
        Forked(function, *arguments, RANK=rank, LOCAL_RANK=rank, MASTER_PORT=port, **common)
        for rank in map(str, range(processes))
    ]


def run_together(
    function: Callable, *arguments, processes: int = 2, timeout: float = 200
) -> list[Forked]:
    """Run a function in the processes of a distributed run. If one fails, the others get SIGTERM,
    as from torchrun."""
    group = fork_together(function, *arguments, processes=processes)
    end = time.monotonic() + timeout
    try:
        while any(each.poll() is None for each in group):
            if any(each.poll() for each in group):
                for each in group:
                    each.terminate()
                    each.wait(30)
            if time.monotonic() > end:
                raise TimeoutError(''.join(each.stdout + each.stderr for each in group)[-4000:])
            time.sleep(0.01)
    finally:
        for each in group:
            each.kill()
    return group


def launch(function: Callable, *arguments, **settings) -> None:
    """Run torchrun's agent in a fork: it runs a function in its own forks, and restarts them when
    one fails.

    Args:
        function: The function of each process, as in :class:`Forked`.
        arguments: Its arguments.
        settings: Settings of torch's ``LaunchConfig``.
    """
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(start_method='fork', **settings)
    elastic_launch(config, _launched)(function, *arguments)


def _launched(function: Callable, *arguments) -> None:
    """Run a function with the signal handlers of a new process instead of the agent's."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        function(*arguments)
    except SystemExit as ended:
        # The agent expects the function to return.
        if _status(ended.code):
            raise


class ForkedProgram:
    """A function in a forked process that reads and writes lines, with the interface of ``Popen``.

    Args:
        function: The function, without arguments.
    """

    def __init__(self, function: Callable) -> None:
        inward, outward = os.pipe(), os.pipe()
        self._process = Forked(self._connect, function, inward[0], outward[1])
        self.stdin, self.stdout = open(inward[1], 'w'), open(outward[0])  # noqa: SIM115
        for end in (inward[0], outward[1]):
            os.close(end)

    @staticmethod
    def _connect(function: Callable, inward: int, outward: int) -> None:
        for here, place in ((inward, 0), (outward, 1)):
            os.dup2(here, place)
        # Copies of other processes' pipes would keep those waiting for input after their end.
        os.closerange(3, 1000)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        function()

    @property
    def returncode(self) -> int | None:
        """The exit status, or None before :meth:`wait`."""
        return self._process.returncode

    def wait(self) -> int:
        """Wait for the end of the process."""
        return self._process.wait()
