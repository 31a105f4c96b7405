"""Tests whether autograd, tracers, ``torch.func`` or hooks record a computation."""

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules.module import _has_any_global_hook


def may_overwrite() -> bool:
    """Return whether a feature map that was just computed may be overwritten.

    It may not if autograd could keep it or a graph is recorded: the graph would depend on whether
    autograd was on, which torch's tracer reports as an error.
    """
    recording = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return not (torch.is_grad_enabled() or recording)


def records_eagerly(x: Tensor) -> bool:
    """Return whether only autograd records operations on ``x``."""
    return (
        isinstance(x, Tensor)  # not a torch.fx proxy
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


def has_hooks(*modules: nn.Module) -> bool:
    """Return whether any hook sees the modules' inputs or outputs."""
    hooks = (module._forward_pre_hooks or module._forward_hooks for module in modules)
    return any(hooks) or _has_any_global_hook()
