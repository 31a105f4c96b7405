"""Tensors that say they are on an NPU, and compute on the CPU."""

import collections
import contextlib
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from . import npu

_aten = torch.ops.aten
_HERE = str(Path(__file__).parent)

# Operators that hardware lets read a single number, or indices, from the host.
_TAKE_NUMBERS = ('fill_', 'masked_fill', 'masked_fill_', 'index_put', 'index_put_', 'clamp')
_TAKE_INDICES = ('index', 'index_put', 'index_put_', '_index_put_impl_')
_READS = (_aten._local_scalar_dense.default, _aten.equal.default, _aten.is_nonzero.default)
_SIZES = ('nonzero', 'masked_select', '_unique2', 'unique_dim', 'unique_consecutive')
_MADE_FROM_NOTHING = (
    *('empty.memory_format', 'empty_strided', 'arange', 'arange.start', 'arange.start_step'),
    *('linspace', 'full', 'zeros', 'ones', 'eye', 'eye.m', 'scalar_tensor'),
    *('rand', 'randn', 'randint', 'randint.low', 'randperm', 'tril_indices', 'triu_indices'),
)
_RANDOM = ('rand', 'randn', 'randint', 'randint.low', 'randperm')
_DRAWING = ('bernoulli', 'bernoulli_', 'native_dropout', 'normal_', 'uniform_', 'random_')

_transfers: list[collections.Counter] = []


@contextlib.contextmanager
def transfers() -> Iterator[collections.Counter]:
    """Count what crosses between host and device within: (kind, file:line) to a number.

    Kinds: 'to device', 'to host' and 'read', in which the host waits for a value or a size.
    """
    counter: collections.Counter = collections.Counter()
    _transfers.append(counter)
    try:
        yield counter
    finally:
        # Not remove, which takes an equal one.
        assert _transfers.pop() is counter


def _count(kind: str) -> None:
    if _transfers:
        frames = traceback.extract_stack()
        # The innermost line that is neither here nor in torch.
        frame = next(
            each
            for each in reversed(frames)
            if not each.filename.startswith(_HERE) and '/torch/' not in each.filename
        )
        for counter in _transfers:
            counter[kind, f'{frame.filename}:{frame.lineno}'] += 1


class NpuTensor(torch.Tensor):
    """A tensor on the device.

    Args:
        host: Its values.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, host: torch.Tensor, index: int | None = None) -> 'NpuTensor':
        if host.dtype in (torch.float64, torch.complex128):
            raise RuntimeError(f'{host.dtype} is not supported on npu')
        result = torch.Tensor._make_wrapper_subclass(
            cls,
            host.size(),
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            layout=host.layout,
            device=torch.device('npu', npu.current_device() if index is None else index),
        )
        result.host = host
        return result

    def __repr__(self) -> str:
        return f'NpuTensor({self.host})'

    def tolist(self) -> list:
        """Copy to the host, as torch does, which refuses it to Python's tensors."""
        return self.cpu().tolist()

    def __deepcopy__(self, memo: dict) -> torch.Tensor:
        copied = NpuTensor(self.host.clone(), self.device.index)
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        else:
            copied.requires_grad_(self.requires_grad)
        memo[id(self)] = copied
        return copied

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


def compute(func, args: tuple, kwargs: dict) -> Any:
    """Compute an operator on the host, as the device would."""
    name = func.overloadpacket.__name__
    target = kwargs.get('device')
    if func in (_aten._to_copy.default, _aten.copy_.default):
        return _copy(func, args, kwargs)
    tensors: list[torch.Tensor] = []
    _mapped(lambda value: tensors.append(value) if _is_tensor(value) else None, [args, kwargs])
    on_device = [value for value in tensors if isinstance(value, NpuTensor)]
    indices = {value.device.index for value in on_device}
    if len(indices) > 1:
        raise _mixed(func, *sorted(f'npu:{index}' for index in indices))
    for value in tensors:
        if not isinstance(value, NpuTensor):
            _check_host_tensor(func, name, value, args)
    if func in _READS or name in _SIZES or _by_mask(name, args):
        _count('read')
    host_args, host_kwargs = _mapped(_host, [args, kwargs])
    if target is not None:
        host_kwargs['device'] = 'cpu'
    with _device_random(name):
        result = func(*host_args, **host_kwargs)
    if target is not None and torch.device(target).type == 'cpu':
        return result
    by_host = {id(value.host): value for value in on_device}
    index = next(iter(indices), None)

    def place(value: Any) -> Any:
        if not _is_tensor(value):
            return value
        # What is changed in place stays the tensor that it was.
        return by_host[id(value)] if id(value) in by_host else NpuTensor(value, index)

    return _mapped(place, result)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to all in the lists that an operator takes and gives: torch's general form
    takes most of a small operator's time."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([_mapped(function, each) for each in value])
    if kind is dict:
        return {key: _mapped(function, each) for key, each in value.items()}
    return function(value)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _host(value: Any) -> Any:
    return value.host if isinstance(value, NpuTensor) else value


def _by_mask(name: str, args: tuple) -> bool:
    """Whether an index is a mask, so that the size of the result must be read."""
    return name == 'index' and any(
        value is not None and value.dtype in (torch.bool, torch.uint8) for value in args[1]
    )


def _check_host_tensor(func, name: str, value: torch.Tensor, args: tuple) -> None:
    """Refuse a tensor of the CPU among those of the device, but for what hardware takes."""
    if name in _TAKE_INDICES and any(value is index for index in args[1] if index is not None):
        _count('to device')
    elif value.dim() == 0 and (torch.Tag.pointwise in func.tags or name in _TAKE_NUMBERS):
        pass  # a number among the arguments of the kernel
    else:
        raise _mixed(func, 'npu:0', 'cpu')


def _mixed(func, first: str, second: str) -> RuntimeError:
    return RuntimeError(
        'Expected all tensors to be on the same device, but found at least two devices, '
        f'{first} and {second}! ({func})'
    )


def _copy(func, args: tuple, kwargs: dict) -> torch.Tensor:
    """Copy between devices, or to another type."""
    if func is _aten.copy_.default:
        target, source = args[:2]
        if isinstance(target, NpuTensor) != isinstance(source, NpuTensor):
            _count('to device' if isinstance(target, NpuTensor) else 'to host')
        _host(target).copy_(_host(source))
        return target
    source = args[0]
    device = torch.device(kwargs.pop('device', None) or source.device)
    host = func(_host(source), **kwargs)
    if device.type == 'cpu':
        _count('to host')
        return host
    return NpuTensor(host, device.index)


@contextlib.contextmanager
def _device_random(name: str) -> Iterator[None]:
    """Draw from the device's generator and leave the host's as it is."""
    if name not in _DRAWING and name not in _RANDOM:
        yield
        return
    before = torch.get_rng_state()
    torch.set_rng_state(npu._generator.get_state())
    try:
        yield
    finally:
        npu._generator.set_state(torch.get_rng_state())
        torch.set_rng_state(before)


def _register_factory(name: str) -> None:
    packet, _, overload = name.partition('.')
    operator = getattr(getattr(_aten, packet), overload or 'default')

    def kernel(*args, **kwargs):
        index = torch.device(kwargs.get('device') or 'npu').index
        with _device_random(name):
            return NpuTensor(operator(*args, **kwargs | dict(device='cpu')), index)

    _library.impl(name, kernel, 'PrivateUse1')


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False):
    """Copy where torch goes round the class, as torch.tensor(..., device='npu') does."""
    return _copy(_aten.copy_.default, (target, source), {})


_library = torch.library.Library('aten', 'IMPL')
_library.impl('_copy_from', _copy_from, 'PrivateUse1')
for _name in _MADE_FROM_NOTHING:
    _register_factory(_name)
