"""Distributed training on one or more machines."""

import os
import re
import subprocess
from collections.abc import Mapping

import torch
from torch import nn

from rexdense.device.lost_processes import waiting_time
from rexdense.device.rendezvous import join
from rexdense.errors import InvalidArgument

BACKENDS = {'cpu': 'gloo', 'cuda': 'nccl', 'npu': 'hccl'}
"""Backend of torch.distributed by kind of device."""

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
"""Launchers of several processes; pytorch is torchrun."""

_PORT = '29500'
_STARTED_BY = {
    'pytorch': 'torchrun sets: start with torchrun --nproc-per-node N',
    'slurm': 'srun sets: start with srun, or tools/slurm_train.sh',
    'mpi': "Open MPI's mpirun sets: start with mpirun -n N",
}


def process_variables(launcher: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return torch's environment variables of a process (RANK, WORLD_SIZE, LOCAL_RANK,
    LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT) from those of its launcher.

    Raises:
        InvalidArgument: the process was not started by that launcher, a variable is not a number or
            out of range, or the address of the first process is missing.
    """
    names = {
        'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE'),
        'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_TASKS_PER_NODE'),
        'mpi': tuple(
            f'OMPI_COMM_WORLD_{name}' for name in ('RANK', 'SIZE', 'LOCAL_RANK', 'LOCAL_SIZE')
        ),
    }[launcher]
    if any(name not in environment for name in names[:3]):
        raise InvalidArgument(
            f'--launcher {launcher} needs the variables that {_STARTED_BY[launcher]}'
        )
    for name in (*names, 'MASTER_PORT'):
        # Slurm writes 4(x2) for two machines of four.
        form = r'[0-9]+([(,].*)?' if name == names[3] else '[0-9]+'
        if not re.fullmatch(form, environment.get(name, '0')):
            raise InvalidArgument(
                f'{name}={environment[name]}: give a whole number, or start the processes with '
                f'what sets it: {_STARTED_BY[launcher].partition(": ")[2]}'
            )
    rank, world, local = (environment[name] for name in names[:3])
    on_machine = re.match(r'\d+', environment.get(names[3], world))[0]
    if int(rank) >= int(world):
        raise InvalidArgument(
            f'{names[0]}={rank} and {names[1]}={world}: of so many processes the last has the '
            f'number {int(world) - 1}; set them anew'
        )
    port = environment.get('MASTER_PORT', _PORT)
    if not 0 < int(port) < 2**16:
        raise InvalidArgument(f'MASTER_PORT={port}: give a free port, from 1 to {2**16 - 1}')
    address = environment.get('MASTER_ADDR') or None
    if address is None and launcher == 'slurm':
        address = _first_host(environment.get('SLURM_NODELIST', ''))
    elif address is None and on_machine == world:
        address = '127.0.0.1'
    if address is None:
        raise InvalidArgument('set MASTER_ADDR to the host name of the first machine')
    return dict(
        RANK=rank,
        WORLD_SIZE=world,
        LOCAL_RANK=local,
        LOCAL_WORLD_SIZE=on_machine,
        MASTER_ADDR=address,
        MASTER_PORT=port,
    )


def _first_host(nodes: str) -> str | None:
    """Return the first host of a Slurm node list such as gpu[03-07,9]."""
    try:
        listed = subprocess.run(
            ['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True, check=True
        ).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        listed = [''.join(re.match(r'([^\[,]*)\[?(\w*)', nodes).groups())]
    return listed[0] if listed and listed[0] else None


def initialise_distributed(
    device: str, launcher: str = 'pytorch', timeout: float | None = None
) -> None:
    """Join the process group that the launcher's environment variables describe. A process that
    trains several models joins only once.

    mmengine's own launchers call ``torch.cuda.set_device`` on every machine. They therefore fail on
    a CPU, and those of Slurm and MPI also on an NPU.

    Args:
        timeout: Seconds to wait for a process that does not answer; None takes
            :data:`rexdense.device.lost_processes.DEFAULT_TIMEOUT`.

    Raises:
        InvalidArgument: the process was not started by that launcher, there are more processes than
            devices on this machine, the port is taken, or ``timeout`` is no valid time.
    """
    waiting = waiting_time(timeout)
    if torch.distributed.is_initialized():
        return
    os.environ.update(process_variables(launcher, os.environ))
    local, on_machine = int(os.environ['LOCAL_RANK']), int(os.environ['LOCAL_WORLD_SIZE'])
    if device != 'cpu':
        count = getattr(torch, device).device_count()
        if local >= count:
            raise InvalidArgument(
                f'{on_machine} processes on this machine and {count} {device} '
                f'{"device" if count == 1 else "devices"}: start {count} a machine, '
                'torchrun --nproc-per-node'
            )
        getattr(torch, device).set_device(local)
    torch.set_num_threads(threads_per_process(on_machine, os.environ.get('OMP_NUM_THREADS')))
    join(BACKENDS[device], waiting)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_per_process(processes: int, asked: str | None) -> int:
    """Return the number of threads for each of several processes on a machine.

    Args:
        asked: OMP_NUM_THREADS. torchrun sets it to 1 if it is not set, so 1 does not count as a
            request.

    Example:
        >>> threads_per_process(8, '3')
        3
    """
    if asked and asked.isdecimal() and int(asked) > 1:
        return int(asked)
    return max(1, available_cores() // processes)


def bare_model(model: nn.Module) -> nn.Module:
    """Return the model without its wrapper of distributed training."""
    from mmengine.model import is_model_wrapper

    return model.module if is_model_wrapper(model) else model
