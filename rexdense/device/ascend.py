"""What Ascend NPUs need: numbers in float32 for two operators of mmcv, and the compile mode."""

import functools
import os
from typing import Any

import torch

from rexdense.errors import InvalidArgument

__all__ = ['asked_jit_compile', 'feed_float32', 'set_jit_compile', 'soc_version']

_JIT_COMPILE = 'NPUJITCompile'
"""The environment variable of mmengine, which takes any text in it for yes."""

_SWITCH = {'1': True, 'true': True, 'on': True, 'yes': True} | {
    '0': False,
    'false': False,
    'off': False,
    'no': False,
    '': False,
}


def soc_version() -> int:
    """Return the number of the NPU's generation, as torch_npu counts: 910 below 220, 910B above."""
    from torch_npu.npu import utils

    return int(utils.get_soc_version())


def asked_jit_compile() -> bool | None:
    """Return what the environment variable NPUJITCompile says; None where it is not set.

    Raises:
        InvalidArgument: it says neither yes nor no.
    """
    text = os.environ.get(_JIT_COMPILE)
    if text is None:
        return None
    if text.lower() not in _SWITCH:
        raise InvalidArgument(f'{_JIT_COMPILE}={text}: give 1 or 0')
    return _SWITCH[text.lower()]


def set_jit_compile(default: bool) -> None:
    """Let CANN compile each operator for each shape, or take its ready ones.

    Compiling is for shapes that stay: every new one takes seconds, and in detection they change at
    every step.

    Args:
        default: What is done where NPUJITCompile is not set.
    """
    asked = asked_jit_compile()
    torch.npu.set_compile_mode(jit_compile=default if asked is None else asked)


def feed_float32() -> None:
    """Let mmcv's RoIAlign and NMS compute in float32, whatever mixed precision hands them.

    Their kernels for Ascend take no other type (mmcv/ops/csrc/pytorch/npu/roi_align_npu.cpp and
    nms_npu.cpp). What they return has the type of what they were given.
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
