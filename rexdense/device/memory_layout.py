"""Weights in channels_last, the layout in which convolutions are quickest."""

from typing import Any

import torch
from torch import Tensor, nn

# Ascend has formats of its own.
_DEVICES = ('cpu', 'cuda')
# Its compiled operators read memory as NCHW, whatever the strides say.
_READS_NCHW = 'mmcv.ops'
# Of these, those whose backward pass brings the gradient it gets into that order by itself.
_ORDERS_GRADIENTS = ('RoIAlign',)


def use_channels_last(network: nn.Module) -> None:
    """Lay out the weights of convolutions with the channels last, where the device knows that.

    Their outputs follow. Operators of mmcv, such as RoIAlign, read any memory as NCHW, and would
    give wrong results without a word; what their modules take, and what the layers in these hand
    them, such as the offsets of a deformable convolution, is brought into that order. Functions of
    mmcv that other modules call are not.
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
    """Return whether gradients are right with all that :func:`use_channels_last` lays out anew.

    Operators of mmcv may read gradients as NCHW, too; RoIAlign's backward pass does not.
    """
    return all(
        type(module).__name__ in _ORDERS_GRADIENTS
        for module in network.modules()
        if _reads_nchw(module)
    )


def _reads_nchw(module: nn.Module) -> bool:
    # Others inherit from them.
    return any(kind.__module__.startswith(_READS_NCHW) for kind in type(module).__mro__)


def contiguous_inputs(
    module: nn.Module, inputs: tuple, named: dict[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    """Return a module's inputs with their tensors in the order of their axes."""
    return tuple(map(_contiguous, inputs)), {
        name: _contiguous(value) for name, value in named.items()
    }


def contiguous_output(module: nn.Module, inputs: tuple, output: Any) -> Any:
    """Return a module's output, if it is a tensor, in the order of its axes."""
    return _contiguous(output)


def _contiguous(value: Any) -> Any:
    return value.contiguous() if isinstance(value, Tensor) else value
