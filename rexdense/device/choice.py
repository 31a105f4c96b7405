"""Choice of the device, and its settings of mixed precision."""

import torch

from rexdense.errors import InvalidArgument

__all__ = ['DEVICES', 'amp_wrapper', 'choose_device', 'find_device']

DEVICES = ('cpu', 'cuda', 'npu')


def _is_available(device: str) -> bool:
    if device == 'cpu':
        return True
    if device == 'npu':
        from mmengine.device import is_npu_available

        return is_npu_available()
    return torch.cuda.is_available()


def choose_device(requested: str | None = None) -> str:
    """Return the device of :func:`find_device` and make mmengine use it, for the whole process.

    Raises:
        InvalidArgument: an unknown device, or one that this machine lacks.
    """
    from mmengine.device import utils as mmengine_device

    found = find_device(requested)
    # mmengine picks its device once, at import; every later get_device() reads this name.
    mmengine_device.DEVICE = found
    return found


def find_device(requested: str | None = None) -> str:
    """Return the device to run on: the requested one; for 'auto' or None npu, cuda or cpu, as
    found.

    Raises:
        InvalidArgument: an unknown device, or one that this machine lacks.
    """
    if requested in (None, 'auto'):
        requested = next(device for device in ('npu', 'cuda', 'cpu') if _is_available(device))
    if requested not in DEVICES:
        raise InvalidArgument(f'device {requested!r}: allowed are {", ".join(DEVICES)}')
    if not _is_available(requested):
        found = ', '.join(device for device in DEVICES if _is_available(device))
        need = 'torch_npu and CANN' if requested == 'npu' else 'a CUDA build of torch and a GPU'
        raise InvalidArgument(f'device {requested!r} needs {need}; found here: {found}')
    return requested


def amp_wrapper(device: str) -> dict:
    """Return the settings of the optimizer wrapper that trains with mixed precision on ``device``.

    float16 with loss scaling on accelerators; bfloat16 without scaling on a CPU, where mmengine's
    wrapper refuses to run.
    """
    if device == 'cpu':
        return dict(type='rexdense.BFloat16OptimWrapper')
    return dict(type='AmpOptimWrapper', loss_scale='dynamic')
