"""Optimizer wrappers that mmengine does not have."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from rexdense.device import bare_model
from rexdense.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Train layers in bfloat16 on the CPU, and the computations between them in float32.

    The backbone, the neck and each head run under autocast and return float32. mmcv's RoIAlign and
    NMS do not support bfloat16 on the CPU, and near 400, bfloat16 resolves box coordinates only to
    two pixels. A model without a backbone runs under autocast as a whole. Weights and optimizer
    state stay in float32. The range of bfloat16 makes loss scaling unnecessary. mmengine's own
    AmpOptimWrapper requires an accelerator.
    """

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass of training as described in the class."""
        with super().optim_context(model), contextlib.ExitStack() as stack:
            for part in _layers_of(bare_model(model)):
                stack.enter_context(_forward_in_bfloat16(part))
            yield


def _layers_of(model: nn.Module) -> list[nn.Module]:
    """Return the backbone, the neck and the heads that contain no other head."""
    if getattr(model, 'backbone', None) is None:
        return [model]
    # Several heads of one kind are numbered: bbox_head.0, bbox_head.1.
    heads = [
        module
        for name, module in model.named_modules()
        if name.rstrip('.0123456789').endswith('head') and not isinstance(module, nn.ModuleList)
    ]
    holders = [head for head in heads if any(part in heads for part in list(head.modules())[1:])]
    parts = [model.backbone, getattr(model, 'neck', None), *heads]
    return [part for part in parts if part is not None and part not in holders]


@contextlib.contextmanager
def _forward_in_bfloat16(module: nn.Module) -> Iterator[None]:
    """Make the forward method of a module run under autocast and return float32."""
    forward = module.forward

    @functools.wraps(forward)
    def in_bfloat16(*inputs: Any, **options: Any) -> Any:
        with torch.autocast('cpu', torch.bfloat16):
            return _as_float32(forward(*inputs, **options))

    # An attribute of the instance, which hides the method of the class.
    module.forward = in_bfloat16
    try:
        yield
    finally:
        del module.forward


def _as_float32(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype == torch.bfloat16 else value
    if isinstance(value, dict):
        return {name: _as_float32(item) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_as_float32(item) for item in value)
    return value
