"""Compilation of parts of a network by torch, for any batch and image size."""

import shutil
from collections.abc import Sequence

from torch import nn

from rexdense.errors import InvalidArgument


def require_compiler(device: str) -> None:
    """Check that the code that torch generates can be compiled.

    Raises:
        InvalidArgument: the machine has no C++ compiler, which code for the CPU needs.
    """
    if device != 'cpu':
        return
    from torch._inductor import config

    named = config.cpp.cxx
    named = named if isinstance(named, list | tuple) else (named,)
    if not any(name and shutil.which(name) for name in (*named, 'g++', 'clang++')):
        raise InvalidArgument(
            'compile=True needs a C++ compiler, and there is no g++ or clang++ here: install one '
            '(apt-get install g++), or leave compile out'
        )


def compile_parts(parts: Sequence[nn.Module]) -> None:
    """Let torch compile modules at their first forward pass, with frozen weights and dynamic sizes.
    Compiled modules are skipped."""
    for part in parts:
        if part._compiled_call_impl is None:
            part.compile(dynamic=True, options=dict(freezing=True))
