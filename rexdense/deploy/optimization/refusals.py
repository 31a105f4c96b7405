"""Error messages for networks and options that cannot be optimised."""

import copy

import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin

from rexdense.device.memory_layout import contiguous_inputs, contiguous_output
from rexdense.errors import InvalidArgument, first_line

DTYPES = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'bf16': torch.bfloat16,
}
_HOOKS = {
    '_forward_pre_hooks': 'a forward pre-hook',
    '_forward_hooks': 'a forward hook',
    '_backward_pre_hooks': 'a backward pre-hook',
    '_backward_hooks': 'a backward hook',
}
_OWN_HOOKS = (contiguous_inputs, contiguous_output)
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)


def require_dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    """Return the dtype as a ``torch.dtype``.

    Raises:
        InvalidArgument: it is neither float32 nor bfloat16.
    """
    if dtype is None or dtype in DTYPES.values():
        return dtype
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise InvalidArgument(
            f'dtype={dtype!r}: allowed are None (that of the network), torch.float32 and '
            'torch.bfloat16'
        )
    return DTYPES[dtype]


def checked_copy(network: nn.Module) -> nn.Module:
    """Return a copy of a network that can be optimised.

    Raises:
        InvalidArgument: it is not a network, is in training mode, has hooks, is wrapped, lacks its
            weights, or cannot be copied.
    """
    if not isinstance(network, nn.Module):
        raise InvalidArgument(
            f'optimize got a {type(network).__name__}; give it a network (torch.nn.Module), such '
            "as rexdense.create_backbone('rexnet_1.0').eval()"
        )
    if isinstance(network, _WRAPPERS):
        raise InvalidArgument(
            f'optimize got a {type(network).__name__}; give it the network inside, .module'
        )
    if isinstance(network, torch.jit.ScriptModule | torch.fx.GraphModule):
        raise InvalidArgument(
            f'optimize got a {type(network).__name__}, a recorded graph; give it the network that '
            'was recorded'
        )
    for name, module in network.named_modules():
        _check(name or type(network).__name__, module)
    try:
        return copy.deepcopy(network)
    # Attributes of a network can refuse to be copied with any exception.
    except Exception as error:
        raise InvalidArgument(
            f'optimize works on a copy, and this {type(network).__name__} cannot be copied: '
            f'{first_line(error)}; delete what it keeps of an earlier forward pass'
        ) from error


def _check(name: str, module: nn.Module) -> None:
    if module.training:
        raise InvalidArgument(
            f'optimize takes a network in evaluation mode, and {name} is in training mode: call '
            '.eval() first'
        )
    for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
        if isinstance(tensor, UninitializedTensorMixin) or tensor.is_meta:
            raise InvalidArgument(
                f'{name} has no weights yet: load them, or run a batch through the network first'
            )
    for attribute, kind in _HOOKS.items():
        if any(hook not in _OWN_HOOKS for hook in getattr(module, attribute).values()):
            raise InvalidArgument(
                f'{name} has {kind}, which would see other values in the optimised network: '
                'remove it first, and weight or spectral norms by '
                'torch.nn.utils.remove_weight_norm or remove_spectral_norm'
            )
