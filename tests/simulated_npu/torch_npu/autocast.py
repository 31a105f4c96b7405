"""Autocast: torch has rules for its own devices only, and a device brings those of its operators.

The lists are the heads of those in aten/src/ATen/autocast_mode.h.
"""

import torch

_HALVED = ('conv2d', 'conv_transpose2d.input', 'linear', 'matmul', 'mm', 'addmm', 'bmm', 'baddbmm')
_IN_FLOAT32 = (
    *('softmax.int', 'log_softmax.int', 'nll_loss', 'cross_entropy_loss', 'mse_loss', 'l1_loss'),
    *('smooth_l1_loss', 'binary_cross_entropy_with_logits', 'exp', 'log', 'pow.Tensor_Scalar'),
    *('sum', 'sum.dim_IntList', 'norm.Scalar', 'layer_norm', 'group_norm'),
)
_FLOATING = (torch.float32, torch.float16, torch.bfloat16)
_library = torch.library.Library('aten', 'IMPL')
_keys = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def _operator(name: str):
    packet, _, overload = name.partition('.')
    return getattr(getattr(torch.ops.aten, packet), overload or 'default')


def _register(name: str, halved: bool) -> None:
    operator = _operator(name)

    def kernel(*args, **kwargs):
        kind = torch.get_autocast_dtype('npu') if halved else torch.float32

        def cast(value):
            fits = isinstance(value, torch.Tensor) and value.dtype in _FLOATING and value.is_npu
            return value.to(kind) if fits else value

        with torch._C._ExcludeDispatchKeyGuard(_keys):
            args, kwargs = torch.utils._pytree.tree_map(cast, (args, kwargs))
            return operator(*args, **kwargs)

    _library.impl(name, kernel, 'AutocastPrivateUse1')


_others = torch.library.Library('_', 'IMPL')
_others.fallback(torch.library.fallthrough_kernel, 'AutocastPrivateUse1')
for _name in _HALVED:
    _register(_name, halved=True)
for _name in _IN_FLOAT32:
    _register(_name, halved=False)
