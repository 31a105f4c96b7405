"""Runs the commands of set-up steps: their output goes to a log, their progress to the terminal."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from failure_advice import explain
from machine_checks import SetupFailure

LAST_LINES = 15
LINE_LENGTH = 160
SECONDS_BETWEEN_LINES = 60


class StepFailure(SetupFailure):
    """A command that ended with an error, with its log and the log's last lines."""

    def __init__(self, log: Path, printed: str):
        super().__init__(*explain(printed))
        self.log = log
        last_lines = printed.rstrip().splitlines()[-LAST_LINES:]
        self.last_lines = [line[:LINE_LENGTH] for line in last_lines]


class StepRunner:
    """Numbered steps, each with its log file and a line that tells how far it is.

    Attributes:
        logs: folder of the log files, one a step.
        variables: environment variables of every command.
    """

    def __init__(self, logs: Path, variables: dict[str, str]):
        self.logs = logs
        self.variables = variables
        self.number = self.total = 0
        self.title = ''
        self.started = 0.0
        self.on_terminal = sys.stdout.isatty()

    @contextlib.contextmanager
    def step(self, number: int, total: int, title: str) -> Iterator[None]:
        """Announce a step, and say how long it took when it has succeeded."""
        self.number, self.total, self.title, self.started = number, total, title, time.monotonic()
        self.say(f'[{number}/{total}] {title}', indent='')
        yield
        self.say(f'done in {self.elapsed()}')

    def elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        return f'{minutes} min {seconds:02d} s' if minutes else f'{seconds} s'

    def say(self, text: str, indent: str = '      ') -> None:
        clean = '\r\x1b[K' if self.on_terminal else ''
        lines = '\n'.join(indent + line for line in text.splitlines())
        print(f'{clean}{lines}', flush=True)

    def run(self, command: list[str], **variables: str) -> str:
        """Run a command and return what it printed.

        Raises:
            StepFailure: it ended with a status other than 0.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f'step-{self.number}.log'
        with log.open('ab') as file:
            file.write(f'$ {" ".join(command)}\n'.encode())
            file.flush()
            begin = file.tell()
            # A session of its own, so that an interruption ends the compilers that pip started too.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.variables | variables,
                start_new_session=True,
                preexec_fn=heed_interruption,
            )
            try:
                self._wait(process, log, begin)
            except BaseException:
                end_session(process)
                raise
        printed = read_from(log, begin)
        if process.returncode:
            raise StepFailure(log, printed)
        return printed

    def _wait(self, process: subprocess.Popen, log: Path, begin: int) -> None:
        told = time.monotonic()
        while True:
            try:
                process.wait(timeout=2)
                return
            except subprocess.TimeoutExpired:
                pass
            if self.on_terminal:
                print(f'\r\x1b[K      {self.progress(log, begin)}', end='', flush=True)
            elif time.monotonic() - told >= SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                self.say(self.progress(log, begin))

    def progress(self, log: Path, begin: int) -> str:
        """Elapsed time and, while ninja compiles, the number of files that are done."""
        counts = re.findall(r'^\s*\[(\d+)/(\d+)\]', read_from(log, begin), flags=re.MULTILINE)
        return self.elapsed() + (', file {} of {}'.format(*counts[-1]) if counts else '')


def read_from(path: Path, begin: int) -> str:
    with path.open('rb') as file:
        file.seek(begin)
        return file.read().decode(errors='replace')


def heed_interruption() -> None:
    """Undo what a shell does to its background commands: they ignore SIGINT, and so would pip."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_session(process: subprocess.Popen) -> None:
    """End a command and all that it started; interrupted, pip deletes its temporary files."""
    for kind, seconds in ((signal.SIGINT, 10), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            break
    time.sleep(1)  # ninja, which has got the signal too, ends the compilers it started
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
