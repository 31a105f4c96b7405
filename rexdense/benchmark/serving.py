"""The process of a contestant: it builds a network and runs it once per line of input."""

import json
import sys
from typing import Any

import torch
from torch import nn

from rexdense.benchmark.contestants import AS_SHIPPED
from rexdense.benchmark.memory import most_resident_bytes
from rexdense.benchmark.networks import build_network
from rexdense.benchmark.workloads import WORKLOADS, prepare_workload
from rexdense.benchmark.workloads.network import Timed
from rexdense.device import reuse_freed_memory, why_absent
from rexdense.errors import InvalidArgument, RexdenseError, first_line
from rexdense.memory_shortage import is_shortage


def serve() -> None:
    """Run as a contestant: the first line of standard input is the task, each other one a turn."""
    answers, sys.stdout = sys.stdout, sys.stderr  # packages may print while they are imported

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    task = json.loads(sys.stdin.readline())
    try:
        timed = _prepare(task)
        package = sys.modules.get(task['framework'])
        answer(version=getattr(package, '__version__', None))
        for _ in sys.stdin:
            milliseconds = timed.run()
            answer(milliseconds=milliseconds, resident=most_resident_bytes(), **timed.facts)
    except (ImportError, RexdenseError) as error:
        missing = _missing(task, error) if isinstance(error, ImportError) else None
        answer(error=' '.join(str(error).split()), missing=missing)
    except Exception as error:  # of the packages, each of its own kind
        remedy = '; give a smaller shape, or fewer objects' if is_shortage(error) else ''
        said = f'{first_line(error)} ({type(error).__name__}){remedy}'
        answer(error=said, missing=None)


def _missing(task: dict[str, Any], error: ImportError) -> str:
    """Return the packages that the interpreter needs: the task's and the one that is not there."""
    needed = task['framework'], error.name
    return ' and '.join(dict.fromkeys(name.partition('.')[0] for name in needed if name))


def _prepare(task: dict[str, Any]) -> Any:
    torch.set_num_threads(task['threads'])
    if task.get('allocator') == 'reuse':
        reuse_freed_memory()
    torch.manual_seed(0)
    if task['kind'] in WORKLOADS and task['framework'] not in AS_SHIPPED:
        return prepare_workload(task)
    network = build_network(task)
    device = task['device']
    # torch has the NPU only after this search.
    if missing := why_absent(device.partition(':')[0]):
        raise InvalidArgument(f'device {device!r} is not here: {missing}')
    if isinstance(network, nn.Module):
        network = network.to(device)
    # Optimised networks take float32 inputs, whatever dtype they compute in.
    lower = task['dtype'] == 'bfloat16' and task['framework'] in ('timm', 'torchvision', 'smp')
    return Timed(
        network,
        task['shape'],
        task['kind'] == 'train-step',
        device,
        torch.bfloat16 if lower else torch.float32,
        bool(task.get('channels_last')),
    )
