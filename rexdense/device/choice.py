"""Choice of the device and its mixed-precision settings."""

import functools
import importlib.util
import os
import re

import torch

from rexdense.device.ascend import set_jit_compile
from rexdense.device.bfloat16 import has_bfloat16
from rexdense.device.float32_operators import feed_float32
from rexdense.errors import InvalidArgument, first_line

DEVICES = ('npu', 'cuda', 'cpu')
"""Kinds of devices in the order of preference."""

AMP_TYPES = {'fp16': 'float16', 'bf16': 'bfloat16'}
"""Types of mixed precision: the names of options, and torch's."""

_NAME = re.compile(r'(cpu)|(cuda|npu)(?::(\d+))?')


@functools.cache
def why_absent(kind: str) -> str | None:
    """Return why a kind of device cannot be used here; None if it can."""
    if kind == 'npu':
        return _why_no_npu()
    if kind == 'cuda':
        return _why_no_cuda()
    return None


def _why_no_cuda() -> str | None:
    if not torch.backends.cuda.is_built():
        return f'torch {torch.__version__} is built without CUDA'
    if torch.cuda.is_available():
        return None
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return f'torch finds no GPU ({first_line(error)})'
    return 'torch finds no GPU'


def _why_no_npu() -> str | None:
    """Return why there is no NPU, by the checks of mmengine, which swallows their exceptions."""
    if importlib.util.find_spec('torch_npu') is None:
        return 'torch_npu is not installed'
    try:
        import torch_npu.npu.utils  # noqa: F401

        set_jit_compile(False)
    except InvalidArgument:
        raise
    except Exception as error:  # a missing library of CANN can raise anything
        return f'import torch_npu failed ({type(error).__name__}: {first_line(error)})'
    if not torch.npu.is_available():
        return 'torch_npu finds no NPU; npu-smi info shows what the driver finds'
    return None


def _found() -> list[str]:
    """Return the names of all available devices."""
    names = []
    for kind in DEVICES:
        if why_absent(kind) is None:
            count = getattr(torch, kind).device_count() if kind != 'cpu' else 0
            names += [f'{kind}:{index}' for index in range(count)] or [kind]
    return names


def find_device(requested: str | None = None) -> str:
    """Return the torch name of the device to run on, without changing a setting of torch or
    mmengine.

    Args:
        requested: ``auto`` or None takes the first available of npu, cuda and cpu. A number, as in
            ``cuda:1``, selects one of several devices.

    Raises:
        InvalidArgument: the device is unknown, or this machine does not have it.
    """
    if requested in (None, 'auto'):
        requested = next(kind for kind in DEVICES if why_absent(kind) is None)
    match = _NAME.fullmatch(requested)
    if not match:
        raise InvalidArgument(
            f'device {requested!r}: allowed are auto, cpu, cuda, npu, and cuda:1 or npu:1 where '
            'there are several'
        )
    kind, index = match[1] or match[2], match[3]
    missing = why_absent(kind)
    if missing:
        raise InvalidArgument(
            f'device {requested!r} is not here: {missing}; found: {", ".join(_found())}; '
            'rexdense doctor says more'
        )
    name = kind if index is None else f'{kind}:{int(index)}'
    if index is not None and name not in _found():
        raise InvalidArgument(f'device {requested!r} is not here; found: {", ".join(_found())}')
    if kind == 'npu':
        feed_float32()
    return name


def choose_device(requested: str | None = None) -> str:
    """Return the kind of device to run on, one of ``DEVICES``, and make torch and mmengine use it.

    Args:
        requested: As for :func:`find_device`.

    Raises:
        InvalidArgument: the device is unknown, or this machine does not have it; or it has a number
            although each process takes its own device.
    """
    from mmengine.device import utils as mmengine_device

    kind, _, index = find_device(requested).partition(':')
    if index:
        if os.environ.get('WORLD_SIZE', '1') not in ('', '0', '1'):
            raise InvalidArgument(
                f'--device {requested} is one device, and each process takes its own: give '
                f'--device {kind}'
            )
        getattr(torch, kind).set_device(int(index))
    # mmengine picks its device once, at import, and every later get_device() reads this name. With
    # the wrong name, mmengine forces mixed precision on the first Ascend 910, whatever device is
    # chosen.
    mmengine_device.DEVICE = kind
    mmengine_device.IS_NPU_AVAILABLE = kind == 'npu'
    return kind


def device_sentence(kind: str) -> str:
    """Return a sentence with the chosen device and why the devices before it cannot be used."""
    reasons = [f'{other}: {why_absent(other)}' for other in DEVICES[: DEVICES.index(kind)]]
    return f'Device {kind}' + (f' ({"; ".join(reasons)})' if reasons else '')


def amp_wrapper(device: str, precision: str | None = None) -> dict:
    """Return the settings of the optimizer wrapper for mixed precision on ``device``.

    float16 needs loss scaling, bfloat16 does not. mmengine's wrapper refuses to run on a CPU.

    Args:
        precision: A key of ``AMP_TYPES``; None takes bfloat16 on a CPU, else float16.

    Raises:
        InvalidArgument: the device cannot train in this type.
    """
    if device == 'cpu':
        if precision == 'fp16':
            raise InvalidArgument(
                '--amp fp16 needs an accelerator; on a CPU give --amp bf16, or leave it out'
            )
        return dict(type='rexdense.BFloat16OptimWrapper')
    if precision != 'bf16':
        return dict(type='AmpOptimWrapper', dtype=AMP_TYPES['fp16'], loss_scale='dynamic')
    if not has_bfloat16(device):
        raise InvalidArgument(f'--amp bf16: this {device} has no bfloat16; give --amp fp16')
    feed_float32()
    return dict(type='AmpOptimWrapper', dtype=AMP_TYPES['bf16'], loss_scale=dict(enabled=False))
