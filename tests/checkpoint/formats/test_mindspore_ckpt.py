"""MindSpore's files, read and written without MindSpore."""

import io
import tracemalloc
import zlib

import numpy as np
import pytest
import torch

from rexdense.checkpoint.formats.mindspore_ckpt import (
    SLICE_BYTES,
    group_values,
    read_mindspore,
    write_mindspore,
)
from rexdense.checkpoint.formats.reading import read_checkpoint
from rexdense.checkpoint.formats.unwrapping import unwrap
from rexdense.errors import CheckpointUnreadable
from tests.shared_files import SHARED, golden_case, needs_shared

FOLDER = SHARED / 'golden' / 'mindspore_ckpt' if SHARED else None
WEIGHTS = [
    ('conv.weight', (4, 3, 3, 3)),
    ('bn.moving_mean', (4,)),
    ('bn.moving_variance', (4,)),
    ('bn.gamma', (4,)),
    ('bn.beta', (4,)),
    ('fc.weight', (5, 4)),
    ('fc.bias', (5,)),
]


def written(tensors) -> bytes:
    file = io.BytesIO()
    write_mindspore(tensors, file)
    return file.getvalue()


def message(*values: bytes) -> bytes:
    """Return a file of small values, each given as the bytes of its tensor after the tag 'w'."""
    encoded = b''
    for value in values:
        inner = b'\n\x01w' + b'\x12' + bytes([len(value)]) + value
        encoded += b'\n' + bytes([len(inner)]) + inner
    return encoded


@needs_shared
@pytest.mark.parametrize('name', ['plain', 'async', 'crc'])
def test_plain_files_hold_the_weights(name):
    values = read_mindspore(FOLDER / f'{name}_2.7.0.ckpt')
    assert [(key, tuple(value.shape)) for key, value in values.items()] == WEIGHTS
    raw = (FOLDER / 'plain_2.7.0.ckpt').read_bytes()
    for value in values.values():
        assert value.dtype == torch.float32
        assert value.numpy().tobytes() in raw
    assert torch.equal(values['bn.gamma'], torch.ones(4))
    assert torch.equal(values['bn.moving_mean'], torch.zeros(4))


@needs_shared
def test_every_type_is_read_as_itself():
    values = read_mindspore(FOLDER / 'dtypes_2.7.0.ckpt')
    for name in [
        'int8',
        'uint8',
        'int16',
        'uint16',
        'int32',
        'uint32',
        'int64',
        'uint64',
        'float16',
        'float32',
        'float64',
    ]:
        value = values[f't_{name}']
        assert value.dtype == getattr(torch, name)
        assert value.tolist() == [[0, 1, 3]]
    assert values['t_bool'].tolist() == [[False, True, True]]
    assert (values['t_bf16'].dtype, values['t_bf16'].tolist()) == (
        torch.bfloat16,
        [1.5, -2.25, 3.140625],
    )
    assert (values['scalar_f32'].shape, values['scalar_f32'].item()) == ((), 2.5)
    assert (values['one_f32'].shape, values['scalar_i64'].item()) == ((1,), -3)


@needs_shared
def test_appended_values_are_read():
    values = read_mindspore(FOLDER / 'append_2.7.0.ckpt')
    assert values['note'] == 'héllo'
    assert (values['epoch_num'].item(), values['step_num'].item()) == (7, 700)
    assert values['lr'].item() == pytest.approx(0.05)
    assert values['flag'].item() is True
    assert values['t'].tolist() == [0, 1, 2]


@needs_shared
def test_split_tensors_are_joined():
    whole = read_mindspore(FOLDER / 'split_True_2.7.0.ckpt')
    again = read_mindspore(FOLDER / 'split_False_2.7.0.ckpt')
    assert list(whole) == list(again) == ['head', 'big', 'tail']
    assert whole['big'].shape == (7, 1001)
    assert torch.equal(whole['big'], again['big'])
    assert torch.equal(whole['tail'], torch.ones(3))


@needs_shared
@pytest.mark.parametrize(
    ('name', 'weights', 'others'),
    [('momentum', 7, 8), ('dynlr', 7, 8), ('opt_only', 5, 8), ('append', 7, 6)],
)
def test_training_files_are_sorted_into_weights_and_the_rest(name, weights, others):
    path = FOLDER / f'{name}_2.7.0.ckpt'
    groups = group_values(read_mindspore(path))
    assert (len(groups['state_dict']), len(groups['optimizer'])) == (weights, others)
    assert set(groups['state_dict']) <= {key for key, _ in WEIGHTS}
    assert set(unwrap(read_checkpoint(path).content).tensors) == set(groups['state_dict'])


def test_the_average_takes_its_statistics_from_the_weights(tmp_path):
    tensors = {
        'bn.gamma': torch.tensor([1.0]),
        'bn.moving_mean': torch.tensor([2.0]),
        'ema.bn.gamma': torch.tensor([3.0]),
        'moments.bn.gamma': torch.tensor([4.0]),
        'learning_rate': torch.tensor([0.1, 0.2]),
    }
    path = tmp_path / 'a.ckpt'
    path.write_bytes(written(tensors))
    content = read_checkpoint(path).content
    plain, ema = unwrap(content), unwrap(content, ema=True)
    assert {key: value.item() for key, value in plain.tensors.items()} == {
        'bn.gamma': 1,
        'bn.moving_mean': 2,
    }
    assert {key: value.item() for key, value in ema.tensors.items()} == {
        'bn.gamma': 3,
        'bn.moving_mean': 2,
    }
    assert 'ema=True' in plain.note and 'ema=False' in ema.note


@needs_shared
@pytest.mark.parametrize('name', ['plain', 'async', 'dtypes'])
def test_files_are_written_as_mindspore_writes_them(name):
    path = FOLDER / f'{name}_2.7.0.ckpt'
    assert written(read_mindspore(path)) == path.read_bytes()


@needs_shared
def test_a_network_is_written_byte_for_byte(tmp_path):
    meta, state, _ = golden_case('mindcv_rexnet_09')
    ours = written({key: torch.from_numpy(value) for key, value in state.items()})
    theirs = b''
    for key, shape in meta['keys']:
        dims = b''.join(b'\x08' + varint(size) for size in shape)
        tensor = dims + field(2, b'Float32') + field(3, state[key].tobytes())
        theirs += field(1, field(1, key.encode()) + field(2, tensor))
    assert ours == theirs


def varint(number: int) -> bytes:
    low, number = number & 127, number >> 7
    return bytes([low | 128]) + varint(number) if number else bytes([low])


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def test_large_tensors_are_cut_and_joined(monkeypatch, tmp_path):
    monkeypatch.setattr('rexdense.checkpoint.formats.mindspore_ckpt.SLICE_BYTES', 4096)
    assert SLICE_BYTES == 2**29
    big = torch.arange(7007, dtype=torch.float32).reshape(7, 1001)
    path = tmp_path / 'a.ckpt'
    path.write_bytes(written({'head': torch.ones(3), 'big': big, 'tail': torch.ones(2)}))
    assert path.read_bytes().count(b'\n\x03big') == 7
    assert torch.equal(read_mindspore(path)['big'], big)


@pytest.mark.parametrize('shape', [(), (0,), (1,), (2, 3)])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_shapes_and_types_come_back(shape, dtype, tmp_path):
    tensor = torch.ones(shape).to(dtype)
    (tmp_path / 'a.ckpt').write_bytes(written({'w': tensor}))
    back = read_mindspore(tmp_path / 'a.ckpt')['w']
    assert (back.shape, back.dtype) == (tensor.shape, tensor.dtype)
    assert torch.equal(back, tensor)


def test_the_scalars_of_version_2_0_are_scalars(tmp_path):
    (tmp_path / 'a.ckpt').write_bytes(message(b'\x08\x00\x12\x07Float32\x1a\x04\x00\x00\x80?'))
    assert read_mindspore(tmp_path / 'a.ckpt')['w'].shape == ()


@needs_shared
def test_a_wrong_checksum_is_refused(tmp_path):
    content = bytearray((FOLDER / 'crc_2.7.0.ckpt').read_bytes())
    found = zlib.crc32(content[:-17])
    assert int.from_bytes(content[-10:], 'big') == found
    content[200] ^= 1
    (tmp_path / 'a.ckpt').write_bytes(content)
    with pytest.raises(CheckpointUnreadable, match=rf'checksum.*not {found:08x}'):
        read_mindspore(tmp_path / 'a.ckpt')


@needs_shared
def test_the_cut_write_of_mindspore_is_refused():
    with pytest.raises(CheckpointUnreadable, match=r'cut off or damaged .5 bytes are missing'):
        read_mindspore(FOLDER / 'trunc_2.7.0.ckpt')


FLOATS = b'\x12\x07Float32'
WHOLE = message(b'\x08\x01' + FLOATS + b'\x1a\x04\0\0\0\0')


@pytest.mark.parametrize(
    ('content', 'fault'),
    [
        (message(b'\x08\x02' + FLOATS + b'\x1a\x04\0\0\0\0'), 'has 4 bytes, not 8'),
        (message(b'\x08\x01' + FLOATS + b'\x1a\x08' + b'\0' * 8), 'has 8 bytes, not 4'),
        (message(b'\x08\x01\x12\x07Float33\x1a\x04\0\0\0\0'), "unknown type 'Float33'"),
        (message(b'\x08\xff\xff\xff\xff\x7f' * 5 + FLOATS + b'\x1a\x04\0\0\0\0'), 'not .* for'),
        (b'\n\x05\n\x01w\x1a\x00', 'map tensor'),
        (b'\n\x03\n\x01w', 'without a name or a tensor'),
        (WHOLE + b'\x7b\x00', 'unknown kind 3'),
        (WHOLE + b'\x10\x01', 'unknown number 2'),
        (WHOLE + b'\n\xff', 'ends inside a number'),
        (WHOLE + b'\n' + b'\xff' * 12, 'ends inside a number'),
        (WHOLE + b'\n\x7f', '127 bytes are missing'),
    ],
)
def test_damage_is_refused_by_its_name(content, fault, tmp_path):
    (tmp_path / 'a.ckpt').write_bytes(content)
    with pytest.raises(CheckpointUnreadable, match=fault):
        read_mindspore(tmp_path / 'a.ckpt')


def test_a_name_that_comes_back_is_refused(tmp_path):
    one = {'a.w': torch.ones(2), 'b.w': torch.ones(2)}
    (tmp_path / 'a.ckpt').write_bytes(written(one) + written(one))
    with pytest.raises(CheckpointUnreadable, match=r"'a.w' is there twice"):
        read_mindspore(tmp_path / 'a.ckpt')


def test_mapped_tensors_take_no_memory(tmp_path):
    tensors = {f'layer{i}.weight': torch.rand(1024, 1024) for i in range(8)}
    (tmp_path / 'a.ckpt').write_bytes(written(tensors))
    tracemalloc.start()
    try:
        values = read_mindspore(tmp_path / 'a.ckpt', mmap_tensors=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1024 * 1024
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(values[name].numpy(), tensor.numpy())


@pytest.mark.parametrize('sizes', [(0, 2**63), (0, 2**64 - 1), (2**69, 0)])
def test_sizes_beyond_what_torch_counts_are_refused(sizes, tmp_path):
    """A tensor without values has all the bytes that it needs."""
    tensor = b''.join(b'\x08' + varint(size) for size in sizes) + field(2, b'Float32')
    path = tmp_path / 'a.ckpt'
    path.write_bytes(field(1, field(1, b'a.weight') + field(2, tensor + field(3, b''))))
    with pytest.raises(CheckpointUnreadable, match=r'is a MindSpore checkpoint, cut off') as caught:
        read_checkpoint(path)
    assert '\n' not in str(caught.value)
