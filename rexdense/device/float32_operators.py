"""Operators of mmcv that mixed precision must not reach."""

import functools
from typing import Any

import torch


def feed_float32() -> None:
    """Let mmcv's RoIAlign and NMS compute in float32, whatever mixed precision hands them.

    Their kernels for Ascend take no other type (mmcv/ops/csrc/pytorch/npu/roi_align_npu.cpp and
    nms_npu.cpp), and those for CUDA no bfloat16. What they return has the type of what they were
    given.
    """
    from mmcv.ops.nms import NMSop
    from mmcv.ops.roi_align import RoIAlign

    # The functions carry this mark, so that a second call changes nothing.
    if not hasattr(RoIAlign.forward, 'in_float32'):
        RoIAlign.forward = _in_float32(RoIAlign.forward)
        NMSop.forward = staticmethod(_in_float32(NMSop.forward))


def _in_float32(function: Any) -> Any:
    @functools.wraps(function)
    def forward(*inputs: Any) -> Any:
        given = next((value.dtype for value in inputs if _is_half(value)), None)
        result = function(*(value.float() if _is_half(value) else value for value in inputs))
        # The indices of NMS stay whole numbers.
        return result.to(given) if given and result.is_floating_point() else result

    forward.in_float32 = True
    return forward


def _is_half(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16)
