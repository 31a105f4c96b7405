"""Contestants: processes that each run a network in the interpreter with its package."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import rexdense
from rexdense.errors import InvalidArgument

AS_SHIPPED = ('onnxruntime', 'openvino')
"""Packages with only one form."""

# Makes only this rexdense, not the packages beside it, importable in an interpreter with torch.
_START = """
import signal
# An interrupt ends it without a traceback: the process that started it has it, too, and tells.
signal.signal(signal.SIGINT, signal.SIG_DFL)
import importlib.util, json, sys
for missing, there in (
    ('Python 3.10', sys.version_info >= (3, 10)),
    ('torch', importlib.util.find_spec('torch')),
):
    if not there:
        print(json.dumps(dict(error='there is no ' + missing, missing=missing)))
        sys.exit()
sys.path[:0] = {path!r}
if importlib.util.find_spec('torchvision_shim'):
    import torchvision_shim
spec = importlib.util.spec_from_file_location(
    'rexdense', {folder!r} + '/__init__.py', submodule_search_locations=[{folder!r}]
)
sys.modules['rexdense'] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from rexdense.benchmark.serving import serve
serve()
"""


class Contestant:
    """A process that runs a network in its turns.

    Args:
        task: ``kind``, ``framework`` (the package) and ``threads``. For the other entries see
            :func:`rexdense.benchmark.networks.build_network` and
            :mod:`rexdense.benchmark.workloads`.
        interpreter: The Python with the task's package; None takes this one.
        path: A folder to put first on its module path; a ``torchvision_shim.py`` in it is imported
            first.

    Attributes:
        facts: Facts from the process: ``version``, after a turn the maximum ``resident`` size in
            bytes, and what the task reports beside its time.

    Raises:
        InvalidArgument: the interpreter does not start, or lacks the package or the network.
    """

    def __init__(
        self, task: dict[str, Any], interpreter: str | None = None, path: Path | None = None
    ) -> None:
        self.interpreter, self.package = interpreter or sys.executable, task['framework']
        if path is not None and not path.is_dir():
            raise InvalidArgument(f'--peer-path {path} is no folder: give one, or leave it out')
        start = _START.format(
            folder=str(Path(rexdense.__file__).parent), path=[str(path)] if path else []
        )
        threads = str(task['threads'])
        # Threads that spin while they wait would slow down the other contestants.
        environment = os.environ | {'OMP_NUM_THREADS': threads, 'OMP_WAIT_POLICY': 'passive'}
        try:
            self._process = subprocess.Popen(
                [self.interpreter, '-c', start],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        except OSError as error:
            raise InvalidArgument(
                f'--peer-python {self.interpreter}: {error.strerror}; give a Python interpreter'
            ) from error
        self.facts = self._ask(json.dumps(task))

    def _ask(self, line: str) -> dict[str, Any]:
        with contextlib.suppress(BrokenPipeError):  # its output may contain the reason
            self._process.stdin.write(f'{line}\n')
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self.close()
            remedy = 'give --peer-python a Python interpreter, or '
            if self.package == 'rexdense':
                remedy = ''
            raise InvalidArgument(
                f'{self.interpreter} ended while it ran {self.package} '
                f'(status {self._process.returncode}): {remedy}give a smaller shape if the memory '
                'ran out'
            )
        try:
            said = json.loads(answer)
        except ValueError as error:
            self.close()
            raise InvalidArgument(
                f'{self.interpreter} answered {answer[:80]!r}: give --peer-python a Python '
                'interpreter'
            ) from error
        if 'error' in said:
            self.close()
            if self.package == 'rexdense':
                raise InvalidArgument(said['error'])
            missing = said['missing']
            remedy = f'; give --peer-python one that has {missing}' if missing else ''
            if self.package in AS_SHIPPED and not missing:
                remedy = '; give --graph a file that rexdense export has written for this benchmark'
            raise InvalidArgument(f'{self.interpreter}: {said["error"]}{remedy}')
        return said

    def run(self) -> float:
        """Return the milliseconds of one pass."""
        said = self._ask('')
        milliseconds = said.pop('milliseconds')
        self.facts |= said
        return milliseconds

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def contestants_of(
    kind: str, against: tuple[str, ...], dtype: str, compiled: bool, allocators: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Return the forms of the networks, by their names in the table.

    rexdense's forms are the plain network and the one of :func:`rexdense.deploy.optimize`; in
    training also with recomputation. Those of other packages are the default form and the fastest
    ones: channels_last, and compiled with frozen weights. Their whole models have only the default
    form, because RoIAlign does not support channels_last. OpenVINO also runs rexdense's graph in
    the lower precision. rexdense's models are trained as by mmengine and as by rexdense's runner.
    """
    if kind == 'model-step':
        ours = {'rexdense': {}, 'rexdense, as trained': dict(as_trained=True)}
        theirs = {'': {}}
    elif kind == 'train-step':
        ours = {
            'rexdense': {},
            'rexdense, channels_last': dict(channels_last=True),
            'rexdense, recomputing activations': dict(recompute='activations'),
            'rexdense, channels_last, recomputing activations': dict(
                recompute='activations', channels_last=True
            ),
        }
        theirs = {'': {}, ', channels_last': dict(channels_last=True)}
    else:
        ours = {'rexdense': {}, 'rexdense, optimised': dict(optimized=True)}
        theirs = {'': {}, ', channels_last': dict(channels_last=True)}
        if compiled:
            ours['rexdense, compiled'] = dict(optimized=True, compiled=True)
            theirs[', compiled'] = dict(channels_last=True, compiled=True)
        if dtype != 'float32':
            ours['rexdense, optimised'] |= dict(dtype=dtype)
            ours.get('rexdense, compiled', {}).update(dtype=dtype)
            theirs = {name: form | dict(dtype=dtype) for name, form in theirs.items()}
            theirs = {'': {}} | {f'{name}, {dtype}': form for name, form in theirs.items()}
    forms = {name: dict(framework='rexdense') | form for name, form in ours.items()}
    for package in against:
        only = {'': {}} if package in AS_SHIPPED or kind == 'detector' else theirs
        if package == 'openvino' and dtype != 'float32':
            only = only | {f', {dtype}': dict(dtype=dtype)}
        for suffix, form in only.items():
            forms[f'{package}{suffix}'] = dict(framework=package) | form
    return {
        name if allocator == 'default' else f'{name}, memory reused': form
        | dict(allocator=allocator)
        for allocator in allocators
        for name, form in forms.items()
    }
