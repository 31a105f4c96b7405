"""Convolution weights in channels_last, the fastest memory format for convolutions."""

from typing import Any

import torch
from torch import Tensor, nn

# Ascend has its own formats.
_DEVICES = ('cpu', 'cuda')
# The compiled operators read memory as NCHW, whatever the strides are.
_READS_NCHW = 'mmcv.ops'
# Operators whose backward pass makes the incoming gradient contiguous.
_ORDERS_GRADIENTS = ('RoIAlign',)


def use_channels_last(network: nn.Module) -> None:
    """Convert the weights of convolutions to channels_last, on devices that support it.

    The outputs of the convolutions follow. Operators of mmcv, such as RoIAlign, read all memory as
    NCHW and would silently give wrong results. Hooks therefore make the inputs of their modules
    contiguous, and also the outputs of layers inside these modules, such as the offsets of a
    deformable convolution. Functions of mmcv that other modules call are not covered.
    """
    for module in network.modules():
        if _reads_nchw(module):
            if contiguous_inputs not in module._forward_pre_hooks.values():
                module.register_forward_pre_hook(contiguous_inputs, with_kwargs=True)
            for part in module.modules():
                if part is not module and contiguous_output not in part._forward_hooks.values():
                    part.register_forward_hook(contiguous_output)
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.dim() == 4 and parameter.device.type in _DEVICES:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def trains_in_channels_last(network: nn.Module) -> bool:
    """Return whether gradients are correct after :func:`use_channels_last`.

    Operators of mmcv may also read gradients as NCHW; RoIAlign's backward pass does not.
    """
    return all(
        type(module).__name__ in _ORDERS_GRADIENTS
        for module in network.modules()
        if _reads_nchw(module)
    )


def _reads_nchw(module: nn.Module) -> bool:
    # Subclasses in other packages count too.
    return any(kind.__module__.startswith(_READS_NCHW) for kind in type(module).__mro__)


def contiguous_inputs(
    module: nn.Module, inputs: tuple, named: dict[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    """Return a module's inputs with contiguous tensors."""
    return tuple(map(_contiguous, inputs)), {
        name: _contiguous(value) for name, value in named.items()
    }


def contiguous_output(module: nn.Module, inputs: tuple, output: Any) -> Any:
    """Return a module's output, contiguous if it is a tensor."""
    return _contiguous(output)


def _contiguous(value: Any) -> Any:
    return value.contiguous() if isinstance(value, Tensor) else value
