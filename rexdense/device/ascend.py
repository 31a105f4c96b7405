"""torch_npu: SoC version and compile mode."""

import os

import torch

from rexdense.errors import InvalidArgument

_JIT_COMPILE = 'NPUJITCompile'
"""Environment variable of mmengine, which reads any text in it as yes."""

_SWITCH = dict.fromkeys(('1', 'true', 'on', 'yes'), True) | dict.fromkeys(
    ('0', 'false', 'off', 'no', ''), False
)


def soc_version() -> int:
    """Return the SoC version as torch_npu counts it: Ascend 910 is below 220, 910B above."""
    from torch_npu.npu import utils

    return int(utils.get_soc_version())


def asked_jit_compile() -> bool | None:
    """Return the value of the environment variable NPUJITCompile; None if it is not set. Raise
    InvalidArgument if it is neither yes nor no."""
    text = os.environ.get(_JIT_COMPILE)
    if text is None:
        return None
    if text.lower() not in _SWITCH:
        raise InvalidArgument(f'{_JIT_COMPILE}={text}: give 1 or 0')
    return _SWITCH[text.lower()]


def set_jit_compile(default: bool) -> None:
    """Set whether CANN compiles each operator for each shape or uses its prebuilt operators.

    Compiling pays off for constant shapes: each new shape takes seconds, and in detection the
    shapes change at every step.

    Args:
        default: The setting if NPUJITCompile is not set.
    """
    asked = asked_jit_compile()
    torch.npu.set_compile_mode(jit_compile=default if asked is None else asked)
