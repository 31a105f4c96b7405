"""Devices: choice, mixed precision, processes and memory."""

from rexdense.device.ascend import set_jit_compile
from rexdense.device.bfloat16 import has_bfloat16, require_bfloat16
from rexdense.device.choice import (
    AMP_TYPES,
    DEVICES,
    amp_wrapper,
    choose_device,
    device_sentence,
    find_device,
    why_absent,
)
from rexdense.device.distributed import (
    BACKENDS,
    LAUNCHERS,
    bare_model,
    initialise_distributed,
)
from rexdense.device.lost_processes import (
    as_process_lost,
    has_begun,
    may_restart,
    note_begun,
)
from rexdense.device.memory import return_freed_memory, reuse_freed_memory

__all__ = [
    'AMP_TYPES',
    'BACKENDS',
    'DEVICES',
    'LAUNCHERS',
    'amp_wrapper',
    'bare_model',
    'choose_device',
    'device_sentence',
    'find_device',
    'has_begun',
    'has_bfloat16',
    'initialise_distributed',
    'may_restart',
    'note_begun',
    'as_process_lost',
    'require_bfloat16',
    'return_freed_memory',
    'reuse_freed_memory',
    'set_jit_compile',
    'why_absent',
]
