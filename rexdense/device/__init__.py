"""Devices, the one place that knows about them: choice, mixed precision, processes, memory."""

from rexdense.device.bfloat16 import has_bfloat16, require_bfloat16
from rexdense.device.choice import DEVICES, amp_wrapper, choose_device, find_device
from rexdense.device.distributed import bare_model, initialise_distributed
from rexdense.device.memory import reuse_freed_memory

__all__ = [
    'DEVICES',
    'amp_wrapper',
    'bare_model',
    'choose_device',
    'find_device',
    'has_bfloat16',
    'initialise_distributed',
    'require_bfloat16',
    'reuse_freed_memory',
]
