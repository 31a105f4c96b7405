"""mmcv's compiled operators, as its build for Ascend has them.

mmcv looks for a kernel by the device of the tensors, and finds none for npu. The ones here are of
those whose sources lie in mmcv/ops/csrc/pytorch/npu; what is not here stays missing.
"""

import functools
from typing import Any

import torch

from .tensor import NpuTensor, _count, _host

_IN_FLOAT32 = ('nms', 'roi_align_forward', 'roi_align_backward')
_OTHERS = (
    *('sigmoid_focal_loss_forward', 'sigmoid_focal_loss_backward', 'bbox_overlaps'),
    *('roi_pool_forward', 'roi_pool_backward'),
)


def add_operators() -> None:
    """Let mmcv have the operators of its build for Ascend."""
    from mmcv import _ext

    for name in (*_IN_FLOAT32, *_OTHERS):
        if not hasattr(getattr(_ext, name), '__wrapped__'):
            setattr(_ext, name, _on_npu(name, getattr(_ext, name)))


def _on_npu(name: str, function: Any) -> Any:
    @functools.wraps(function)
    def operator(*args: Any, **kwargs: Any) -> Any:
        tensors = [value for value in args if isinstance(value, torch.Tensor)]
        on_device = [value for value in tensors if isinstance(value, NpuTensor)]
        if not on_device:
            return function(*args, **kwargs)
        if len(on_device) < len(tensors):
            raise RuntimeError(f'{name}: at least two devices, npu:0 and cpu')
        if name in _IN_FLOAT32:
            for value in tensors:
                if value.dtype != torch.float32:
                    raise RuntimeError(f'{name}: only float32 is supported on npu')
        if name == 'nms':
            _count('read')
        result = function(*map(_host, args), **kwargs)
        return NpuTensor(result) if isinstance(result, torch.Tensor) else result

    operator.__wrapped__ = function
    return operator
