"""Tests of what records a computation: autograd, tracers, ``torch.func``, hooks."""

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.module import _has_any_global_hook


def may_overwrite() -> bool:
    """Return whether any map that was just computed may be overwritten.

    Not where autograd may keep it, nor in a graph that is recorded: such a graph would depend on
    whether autograd was on, which torch's tracer takes for a fault.
    """
    recording = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return not (torch.is_grad_enabled() or recording)


def records_eagerly(x: Tensor) -> bool:
    """Return whether autograd, and nothing else, records what is made of ``x``."""
    return (
        isinstance(x, Tensor)  # and no proxy of torch.fx
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


def has_hooks(*modules: nn.Module) -> bool:
    """Return whether something watches what modules take or return."""
    hooks = (module._forward_pre_hooks or module._forward_hooks for module in modules)
    return any(hooks) or _has_any_global_hook()
