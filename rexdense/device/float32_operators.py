"""Operators of mmcv that must run in float32 under mixed precision."""

import functools
from typing import Any

import torch


def feed_float32() -> None:
    """Make mmcv's RoIAlign and NMS compute in float32 under mixed precision.

    Their Ascend kernels support only float32 (mmcv/ops/csrc/pytorch/npu/roi_align_npu.cpp and
    nms_npu.cpp), and their CUDA kernels do not support bfloat16. Outputs have the type of the
    inputs.
    """
    from mmcv.ops.nms import NMSop
    from mmcv.ops.roi_align import RoIAlign

    # This mark on the functions makes a second call do nothing.
    if not hasattr(RoIAlign.forward, 'in_float32'):
        RoIAlign.forward = _in_float32(RoIAlign.forward)
        NMSop.forward = staticmethod(_in_float32(NMSop.forward))


def _in_float32(function: Any) -> Any:
    @functools.wraps(function)
    def forward(*inputs: Any) -> Any:
        given = next((value.dtype for value in inputs if _is_half(value)), None)
        result = function(*(value.float() if _is_half(value) else value for value in inputs))
        # The indices from NMS stay integers.
        return result.to(given) if given and result.is_floating_point() else result

    forward.in_float32 = True
    return forward


def _is_half(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)
