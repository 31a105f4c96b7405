"""Weights in channels_last, the layout in which convolutions are quickest."""

import torch
from torch import Tensor, nn

__all__ = ['contiguous_inputs', 'use_channels_last']

# Ascend has formats of its own.
_DEVICES = ('cpu', 'cuda')
# Its compiled operators read memory as NCHW, whatever the strides say.
_READS_NCHW = 'mmcv.ops'


def use_channels_last(network: nn.Module) -> None:
    """Lay out the weights of convolutions with the channels last, where the device knows that.

    Their outputs follow. Operators of mmcv, such as RoIAlign, read any memory as NCHW, and would
    give wrong results without a word; their inputs are brought into that order.
    """
    for module in network.modules():
        foreign = type(module).__module__.startswith(_READS_NCHW)
        if foreign:
            module.register_forward_pre_hook(contiguous_inputs)
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.dim() == 4 and parameter.device.type in _DEVICES:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def contiguous_inputs(module: nn.Module, inputs: tuple) -> tuple:
    """Return a module's inputs with their tensors in the order of their axes."""
    return tuple(each.contiguous() if isinstance(each, Tensor) else each for each in inputs)
