"""Optimisation of a network for inference in torch."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn.utils import parametrize

from rexdense.deploy.optimization.compilation import compile_parts, require_compiler
from rexdense.deploy.optimization.folding import fold_norms
from rexdense.deploy.optimization.fused import fuse_convolutions
from rexdense.deploy.optimization.means import pool_means
from rexdense.deploy.optimization.parts import parts_of
from rexdense.deploy.optimization.precision import set_precision
from rexdense.deploy.optimization.refusals import checked_copy, require_dtype
from rexdense.deploy.optimization.strips import compute_in_strips
from rexdense.device.bfloat16 import require_bfloat16
from rexdense.device.memory_layout import use_channels_last
from rexdense.errors import InvalidArgument


class _Optimized(NamedTuple):
    """The record of an optimization, which a network carries as ``optimized``."""

    dtype: torch.dtype | None
    compiled: bool


def optimize(
    module: nn.Module, dtype: torch.dtype | str | None = None, compile: bool = False
) -> nn.Module:
    """Return a copy of a network that computes the same in less time, for inference only.

    - Batch norms are folded into the convolutions before them, which also apply the activations
      after them. Parametrised weights are computed once.
    - Weights are stored channels last. A CPU also holds them in blocks of the processor's layout,
      computes the widest maps of large images in strips, and takes means of maps by pooling.
    - Outputs in float32 stay within 1e-4 of the network's, relative to the largest value. Any
      batch, image size and memory layout is accepted.

    Run the copy under ``torch.inference_mode()``, where it overwrites maps that it no longer needs.
    It can be copied and pickled; a compiled network is compiled again by another call of
    ``optimize``. An optimised network is returned as it is.

    Load the weights before: the copy has other tensor names and cannot be trained. Hooks inside the
    copy see other maps than in the network. Code that reads the output of a convolution inside an
    ``nn.Sequential``, or calls mmcv's ``ConvModule`` without its norm, gets the output of the norm.

    Args:
        module: A backbone, a classifier, a U-Net, or a whole detector or segmentor of OpenMMLab, in
            evaluation mode.
        dtype: None keeps the network's type. ``torch.bfloat16`` needs a device that supports it;
            inputs and outputs stay float32. In OpenMMLab's models it applies to backbone and neck.
        compile: Compile the network at its first forward pass, for any batch and size; in
            OpenMMLab's models, the backbone and the neck.

    Raises:
        InvalidArgument: the network is in training mode, has hooks or cannot be copied; the device
            lacks bfloat16, or the machine lacks a compiler.

    Example:
        >>> import rexdense, torch
        >>> backbone = rexdense.create_backbone('rexnet_1.0').eval()
        >>> fast = rexdense.deploy.optimize(backbone)
        >>> with torch.inference_mode():
        ...     maps = fast(torch.rand(1, 3, 97, 131))
        >>> [tuple(map.shape) for map in maps][-1]
        (1, 185, 4, 5)
    """
    dtype = require_dtype(dtype)
    done = getattr(module, 'optimized', None)
    if isinstance(done, _Optimized):
        if dtype in (None, done.dtype) and done.compiled >= compile:
            if compile:
                compile_parts(parts_of(module))
            return module
        raise InvalidArgument(
            f'this network is optimised already, with dtype={done.dtype} and '
            f'compile={done.compiled}: give optimize the network that it was made from'
        )
    # Of the tensors of inference mode torch would not tell whether they have changed.
    with torch.inference_mode(False):
        network = checked_copy(module)
    device = next((tensor.device.type for tensor in network.parameters()), 'cpu')
    if dtype == torch.bfloat16:
        require_bfloat16(device)
    if compile:
        require_compiler(device)
    with torch.inference_mode(False), torch.no_grad():
        _compute_parametrised(network)
        fold_norms(network)
        fuse_convolutions(network)
        compute_in_strips(network)
        pool_means(network)
        if dtype is not None:
            set_precision(network, dtype)
        use_channels_last(network)
    network.requires_grad_(False)
    if dtype is None and all(each.dtype == torch.float32 for each in network.parameters()):
        dtype = torch.float32  # who asks for it later asks for nothing new
    network.optimized = _Optimized(dtype, compile)
    if compile:
        compile_parts(parts_of(network))
    return network


def _compute_parametrised(network: nn.Module) -> None:
    # parametrize.remove_parametrizations would change the class, which copies share.
    for module in list(network.modules()):
        if parametrize.is_parametrized(module):
            values = {name: getattr(module, name) for name in module.parametrizations}
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            for name, value in values.items():
                module.register_parameter(name, nn.Parameter(value))
            # What reads checkpoints of such weights; it is no longer needed, and cannot be pickled.
            module._load_state_dict_pre_hooks.clear()
