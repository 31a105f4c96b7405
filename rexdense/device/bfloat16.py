"""Detection of devices that compute in bfloat16 instead of emulating it."""

import torch

from rexdense.device.ascend import soc_version
from rexdense.errors import InvalidArgument

_FIRST_ASCEND = 220
"""SoC version of Ascend 910B, the first that trains in bfloat16 and entirely in float32."""


def has_bfloat16(device: str) -> bool:
    """Return whether a device, such as 'cpu' or 'cuda:1', has instructions for bfloat16."""
    kind = device.partition(':')[0]
    if kind == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == 'npu':
        return soc_version() >= _FIRST_ASCEND
    known = getattr(torch.cpu, 'get_capabilities', None)
    if known is None:  # before torch 2.11
        return getattr(torch.cpu, '_is_avx512_bf16_supported', bool)()
    # Flags of x86 and ARM.
    names = ('avx512_bf16', 'amx_bf16', 'bf16', 'sve_bf16')
    return any(known().get(name, False) for name in names)


def require_bfloat16(device: str) -> None:
    """Raise InvalidArgument for a device that emulates bfloat16 in float32, which is slower and
    less exact."""
    if not has_bfloat16(device):
        what = 'AVX512_BF16 or AMX' if device == 'cpu' else 'bfloat16 units'
        raise InvalidArgument(
            f'bfloat16 on this {device} would be imitated in float32, which is slower: it has no '
            f'{what}; leave dtype out'
        )
