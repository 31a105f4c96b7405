"""MindSpore's ``.ckpt`` files, read and written without MindSpore.

The format is defined in ``mindspore/train/checkpoint.proto``: a protobuf message without a header,
with repeated values. A value has a tag (the name) and a tensor (dimensions, type name, raw
little-endian bytes). A checksum can follow the message. See ``mindspore/train/serialization.py``
for the splitting of large tensors, the checksum and scalars.
"""

import math
import mmap
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from rexdense.errors import CheckpointUnreadable, first_line

TYPES = {
    'Bool': torch.bool,
    'Int8': torch.int8,
    'Int16': torch.int16,
    'Int32': torch.int32,
    'Int64': torch.int64,
    'UInt8': torch.uint8,
    'UInt16': torch.uint16,
    'UInt32': torch.uint32,
    'UInt64': torch.uint64,
    'Float16': torch.float16,
    'Float32': torch.float32,
    'Float64': torch.float64,
    'BFloat16': torch.bfloat16,
}
TEXT = 'str'
TYPE_NAMES = {dtype: name for name, dtype in TYPES.items()}

CHECKSUM_MARK = b'crc_num'
CHECKSUM_BYTES = 10
# Field numbers of the messages Checkpoint, Value and TensorProto.
VALUE = 1
TAG, TENSOR, MAP_TENSOR = 1, 2, 3
DIMS, TENSOR_TYPE, TENSOR_CONTENT = 1, 2, 3
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Larger content is split into several values with the same tag (serialization.py, SLICE_SIZE).
SLICE_BYTES = 512 * 1024 * 1024


class _Damaged(Exception):
    """The bytes are not a checkpoint; the message says where."""


class _Piece(NamedTuple):
    """A value of the file: a whole tensor, or some of the bytes of a large one."""

    name: str
    dims: tuple[int, ...]
    type_name: str
    content: memoryview


def read_mindspore(path: str | Path, mmap_tensors: bool = False) -> dict[str, Tensor | str]:
    """Return all values of a MindSpore checkpoint by name, in the order of the file.

    Args:
        path: The file.
        mmap_tensors: Map the tensors to the file, so that they are read on use. The file must not
            change then. If False, each tensor is copied into memory.

    Raises:
        CheckpointUnreadable: the file is cut off, its checksum is wrong, or it has another format.
    """
    with Path(path).open('rb') as file:
        # torch needs writable memory; writes to a private mapping do not change the file.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    try:
        message = _verified(memoryview(mapped))
        values: dict[str, Tensor | str] = {}
        pieces: list[_Piece] = []
        for piece in _pieces(message):
            if pieces and pieces[0].name != piece.name:
                _put(values, pieces, mmap_tensors)
                pieces = []
            pieces.append(piece)
        if pieces:
            _put(values, pieces, mmap_tensors)
    # torch raises RuntimeError or TypeError for impossible sizes.
    except (_Damaged, UnicodeDecodeError, RuntimeError, TypeError, OverflowError) as error:
        raise CheckpointUnreadable(
            f'{path} is a MindSpore checkpoint, cut off or damaged ({first_line(error)}): copy or '
            'download it again'
        ) from error
    return values


def _verified(data: memoryview) -> memoryview:
    """Return the message without its checksum, if it has one."""
    end = len(data) - len(CHECKSUM_MARK) - CHECKSUM_BYTES
    if end < 0 or data[end : end + len(CHECKSUM_MARK)] != CHECKSUM_MARK:
        return data
    written = int.from_bytes(data[end + len(CHECKSUM_MARK) :], 'big')
    found = zlib.crc32(data[:end])
    if found != written:
        raise _Damaged(f'its checksum is {found:08x}, not {written:08x} as written')
    return data[:end]


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise _Damaged('it ends inside a number')
        byte = data[position]
        number |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return number, position


def _fields(data: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value) for each field of a message; a value is a number or bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = _varint(data, position)
        elif wire in (BYTES, FIXED32, FIXED64):
            length = {FIXED32: 4, FIXED64: 8}.get(wire)
            if length is None:
                length, position = _varint(data, position)
            if length > len(data) - position:
                raise _Damaged(f'{length - len(data) + position} bytes are missing')
            value, position = data[position : position + length], position + length
        else:
            raise _Damaged(f'a field of the unknown kind {wire}')
        yield number, value


def _as_bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Damaged('a number where text or a message belongs')
    return value


def _as_number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _Damaged('a text or a message where a number belongs')
    return value


def _pieces(message: memoryview) -> Iterator[_Piece]:
    for number, value in _fields(message):
        if number != VALUE or isinstance(value, int):
            raise _Damaged(f'a field of the unknown number {number}')
        parts = dict(_fields(value))
        name = str(_as_bytes(parts.get(TAG, memoryview(b''))), 'utf-8')
        if MAP_TENSOR in parts:
            raise _Damaged(f'{name!r} is a map tensor, which no network here has')
        if not name or TENSOR not in parts:
            raise _Damaged('a value without a name or a tensor')
        dims, type_name, content = [], '', memoryview(b'')
        for part, inner in _fields(_as_bytes(parts[TENSOR])):
            if part == DIMS:
                dims.append(_as_number(inner))
            elif part == TENSOR_TYPE:
                type_name = str(_as_bytes(inner), 'utf-8')
            elif part == TENSOR_CONTENT:
                content = _as_bytes(inner)
        yield _Piece(name, tuple(dims), type_name, content)


def _put(values: dict[str, Tensor | str], pieces: list[_Piece], mmap_tensors: bool) -> None:
    """Add the value of consecutive pieces with the same name."""
    name, dims, type_name, content = pieces[0]
    size = sum(len(piece.content) for piece in pieces)
    if name in values:
        raise _Damaged(f'{name!r} is there twice')
    if type_name == TEXT:
        values[name] = b''.join(piece.content for piece in pieces).decode('utf-32-le')
        return
    if type_name not in TYPES:
        raise _Damaged(f'{name!r} is of the unknown type {type_name!r}')
    dtype = TYPES[type_name]
    # MindSpore 2.0 wrote the shape of a scalar as (0), later versions write no shape.
    shape = () if dims == (0,) and size == dtype.itemsize else dims
    expected = math.prod(shape) * dtype.itemsize
    if size != expected:
        raise _Damaged(f'{name!r} has {size} bytes, not {expected} for {type_name} of {shape}')
    if not size:
        values[name] = torch.empty(shape, dtype=dtype)
        return
    if len(pieces) > 1:
        content = memoryview(bytearray(b''.join(piece.content for piece in pieces)))
    tensor = torch.frombuffer(content, dtype=dtype).reshape(shape)
    values[name] = tensor if mmap_tensors or len(pieces) > 1 else tensor.clone()


def group_values(values: Mapping[str, Tensor | str]) -> dict[str, Any]:
    """Group the values of a training file as torch programs do: weights, their EMA, and the rest.

    A weight is a floating-point tensor with a dot in its name. ``ema.NAME`` is its running average
    (MindCV ``utils/train_step.py``). Batch-norm statistics have no average and are copied.
    ``WORD.NAME`` belongs to the optimizer if there is a ``NAME``, for example
    ``moments.conv1.weight``. The rest are step counts and rates.
    """
    groups: dict[str, Any] = {'state_dict': {}, 'ema_state_dict': {}, 'optimizer': {}}
    averages = {}
    for name, value in values.items():
        word, _, rest = name.partition('.')
        if word == 'ema' and rest in values:
            averages[rest] = value
        elif isinstance(value, str) or not value.is_floating_point() or not rest or rest in values:
            groups['optimizer'][name] = value
        else:
            groups['state_dict'][name] = value
    if averages:
        groups['ema_state_dict'] = groups['state_dict'] | averages
    return {group: content for group, content in groups.items() if content}


def write_mindspore(tensors: Mapping[str, Tensor], file: BinaryIO) -> None:
    """Write tensors in order, byte for byte as MindSpore 2.7 does; raise KeyError for a dtype that
    MindSpore does not have."""
    for name, tensor in tensors.items():
        content = memoryview(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        head = b''.join(b'\x08' + _as_varint(size) for size in tensor.shape)
        head += _as_field(TENSOR_TYPE, TYPE_NAMES[tensor.dtype].encode())
        for start in range(0, len(content) or 1, SLICE_BYTES):
            piece = content[start : start + SLICE_BYTES]
            head_of_content = _as_key(TENSOR_CONTENT, len(piece))
            tag = _as_field(TAG, name.encode())
            tensor_size = len(head) + len(head_of_content) + len(piece)
            tensor_key = _as_key(TENSOR, tensor_size)
            file.write(_as_key(VALUE, len(tag) + len(tensor_key) + tensor_size))
            file.write(tag + tensor_key + head + head_of_content)
            file.write(piece)


def _as_varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _as_key(number: int, length: int) -> bytes:
    return _as_varint(number << 3 | BYTES) + _as_varint(length)


def _as_field(number: int, content: bytes) -> bytes:
    return _as_key(number, len(content)) + content
