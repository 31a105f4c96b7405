"""The one place that knows about devices: choice, mixed precision, distributed, memory."""

import ctypes
import os
import platform

import torch
from torch import nn

from rexdense.errors import InvalidArgument

__all__ = [
    'DEVICES',
    'amp_wrapper',
    'bare_model',
    'choose_device',
    'initialise_distributed',
    'reuse_freed_memory',
]

DEVICES = ('cpu', 'cuda', 'npu')

# Names of glibc's mallopt parameters (malloc.h).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_TOP_PAD_BYTES = 256 * 2**20

_BACKENDS = {'cpu': 'gloo', 'cuda': 'nccl', 'npu': 'hccl'}


def _is_available(device: str) -> bool:
    if device == 'cpu':
        return True
    if device == 'npu':
        from mmengine.device import is_npu_available

        return is_npu_available()
    return torch.cuda.is_available()


def choose_device(requested: str | None = None) -> str:
    """Return the device to run on and make mmengine use it: the requested one, else npu, cuda or
    cpu, as found.

    Raises:
        InvalidArgument: an unknown device, or one that this machine lacks.
    """
    from mmengine.device import utils as mmengine_device

    if requested is None:
        requested = next(device for device in ('npu', 'cuda', 'cpu') if _is_available(device))
    if requested not in DEVICES:
        raise InvalidArgument(f'device {requested!r}: allowed are {", ".join(DEVICES)}')
    if not _is_available(requested):
        found = ', '.join(device for device in DEVICES if _is_available(device))
        need = 'torch_npu and CANN' if requested == 'npu' else 'a CUDA build of torch and a GPU'
        raise InvalidArgument(f'device {requested!r} needs {need}; found here: {found}')
    # mmengine picks its device once, at import; every later get_device() reads this name.
    mmengine_device.DEVICE = requested
    return requested


def amp_wrapper(device: str) -> dict:
    """Return the settings of the optimizer wrapper that trains with mixed precision on ``device``.

    float16 with loss scaling on accelerators; bfloat16 without scaling on a CPU, where mmengine's
    wrapper refuses to run.
    """
    if device == 'cpu':
        return dict(type='rexdense.BFloat16OptimWrapper')
    return dict(type='AmpOptimWrapper', loss_scale='dynamic')


def initialise_distributed(device: str) -> None:
    """Join the process group that torchrun's environment variables describe.

    mmengine's own launcher calls ``torch.cuda.set_device`` on every machine, so it cannot be used
    on a CPU.

    Raises:
        InvalidArgument: the process was not started by torchrun.
    """
    if 'RANK' not in os.environ:
        raise InvalidArgument(
            '--launcher pytorch needs the variables that torchrun sets: '
            'start with torchrun --nproc-per-node N'
        )
    if device == 'cuda':
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    elif device == 'npu':
        torch.npu.set_device(int(os.environ['LOCAL_RANK']))
    torch.distributed.init_process_group(_BACKENDS[device])


def bare_model(model: nn.Module) -> nn.Module:
    """Return the model below the wrapper that distributed training puts around it."""
    from mmengine.model import is_model_wrapper

    return model.module if is_model_wrapper(model) else model


def reuse_freed_memory() -> bool:
    """Keep freed host memory in the process instead of returning it to the kernel; return whether
    that was possible.

    glibc maps every block above 32 MiB afresh and unmaps it when freed, so that each large feature
    map costs its page faults again at every step. This is a setting of the whole process, so
    programs call it, never a library.
    """
    if platform.libc_ver()[0] != 'glibc':
        return False
    mallopt = ctypes.CDLL('libc.so.6').mallopt
    return all(
        mallopt(parameter, value)
        for parameter, value in (
            (_M_MMAP_THRESHOLD, 2**31 - 1),
            (_M_TRIM_THRESHOLD, 2**31 - 1),
            (_M_TOP_PAD, _TOP_PAD_BYTES),
        )
    )
