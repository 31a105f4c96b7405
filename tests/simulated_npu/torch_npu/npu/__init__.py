"""What torch and mmengine ask of the module of a device."""

import torch

from . import amp, utils

__all__ = ['amp', 'utils']

native_device = 'npu'
COUNT = 2
jit_compile: bool | None = None
_current = 0
_generator = torch.Generator()


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    return True


def device_count() -> int:
    return COUNT


def current_device() -> int:
    return _current


def set_device(index: int) -> None:
    global _current
    _current = torch.device(index if isinstance(index, str) else f'npu:{index}').index or 0


def synchronize(device=None) -> None:
    """Wait for nothing."""


def empty_cache() -> None:
    """Free nothing."""


def max_memory_allocated(device=None) -> int:
    return 0


def set_compile_mode(jit_compile: bool = False) -> None:
    globals()['jit_compile'] = jit_compile


def get_device_name(device=None) -> str:
    return 'simulated NPU'


def get_amp_supported_dtype() -> list[torch.dtype]:
    return [torch.float16, torch.bfloat16]


def _is_in_bad_fork() -> bool:
    return False


def manual_seed_all(seed: int) -> None:
    _generator.manual_seed(seed)


manual_seed = manual_seed_all


def get_rng_state(device='npu') -> torch.Tensor:
    return _generator.get_state()


def set_rng_state(state: torch.Tensor, device='npu') -> None:
    _generator.set_state(state)


class _OfType(type):
    """A class whose instances are the tensors of a type on this device."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, torch.Tensor) and value.is_npu and value.dtype == cls.dtype


class BoolTensor(metaclass=_OfType):
    dtype = torch.bool


class LongTensor(metaclass=_OfType):
    dtype = torch.int64
