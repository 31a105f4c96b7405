"""Files that would run code: every route refuses them, and their code does not run."""

import zipfile

import numpy as np
import pytest
import torch
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader

import rexdense
from rexdense.checkpoint import (
    convert_checkpoint,
    export_backbone,
    install_safe_loader,
    read_checkpoint,
)
from rexdense.errors import CheckpointUnreadable
from tests.checkpoint.crafted_files import CRAFTED, write_crafted


def by_reader(path):
    read_checkpoint(path)


def by_load_weights(path):
    rexdense.load_weights(rexdense.create_backbone('rexnet_1.0', out_indices=(0,)), path)


def by_conversion(path):
    convert_checkpoint(path, path.with_name('converted.pth'))


def by_export(path):
    export_backbone(path, path.with_name('exported.safetensors'))


def by_mmengine(path):
    install_safe_loader()
    CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def by_config(path):
    initialise = WEIGHT_INITIALIZERS.build(dict(type='rexdense.Pretrained', checkpoint=str(path)))
    initialise(rexdense.create_backbone('rexnet_1.0', out_indices=(0,)))


def by_mmengines_config(path):
    install_safe_loader()
    initialise = WEIGHT_INITIALIZERS.build(dict(type='Pretrained', checkpoint=str(path)))
    initialise(torch.nn.Conv2d(3, 32, 3))


ROUTES = (
    by_reader,
    by_load_weights,
    by_conversion,
    by_export,
    by_mmengine,
    by_config,
    by_mmengines_config,
)


@pytest.mark.parametrize('kind', CRAFTED)
def test_no_route_runs_a_crafted_file(kind, tmp_path):
    path, victim = tmp_path / 'weights.pth', tmp_path / 'written'
    write_crafted(kind, path, victim)
    before = sorted(tmp_path.iterdir())
    for route in ROUTES:
        with pytest.raises(CheckpointUnreadable):
            route(path)
        assert sorted(tmp_path.iterdir()) == before, route.__name__


def test_the_crafted_file_is_not_harmless(tmp_path):
    # Otherwise the test above would also pass for files that do nothing.
    path, victim = tmp_path / 'weights.pth', tmp_path / 'written'
    write_crafted('torch zip', path, victim)
    read_checkpoint(path, trust_pickle=True)
    assert victim.exists()


@pytest.mark.parametrize('kind', ['torch zip', 'torch before 1.6, protocol 4', 'pickle protocol 5'])
def test_the_message_names_the_call_and_the_flag(kind, tmp_path):
    write_crafted(kind, tmp_path / 'weights.pth', tmp_path / 'written')
    with pytest.raises(CheckpointUnreadable, match=r'posix\.system.*--trust-pickle') as error:
        read_checkpoint(tmp_path / 'weights.pth')
    assert '\n' not in str(error.value)


def test_a_whole_pickled_module_is_refused_by_the_name_of_its_class(tmp_path):
    torch.save({'model': torch.nn.Conv2d(3, 3, 1)}, tmp_path / 'model.pth')
    with pytest.raises(CheckpointUnreadable, match=r'torch\.nn\.modules\.conv\.Conv2d'):
        read_checkpoint(tmp_path / 'model.pth')


def test_no_config_reaches_trust_pickle():
    config = dict(type='rexdense.Pretrained', checkpoint='x.pth', trust_pickle=True)
    with pytest.raises(TypeError, match='trust_pickle'):
        WEIGHT_INITIALIZERS.build(config)


BYTES = b'c_codecs\nencode\n(X\x08\x00\x00\x00AAAAAAAAX\x06\x00\x00\x00latin1tR'
EMPTY = b'cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tX\x01\x00\x00\x00btR'


def type_of(code, *state):
    """Return the pickle of a NumPy dtype, with its further state."""
    made = b'cnumpy\ndtype\n(X%c\x00\x00\x00%b\x89\x88tR' % (len(code), code)
    return made + (b'(' + b''.join(state) + b'tb' if state else b'')


OBJECTS = type_of(b'O')
WITH_FIELD = type_of(
    *(b'f8', b'K\x03', b'X\x01\x00\x00\x00<', b'N', b'(X\x01\x00\x00\x00at'),
    *(b'}X\x01\x00\x00\x00a(' + type_of(b'i8') + b'K\x00ts', b'K\x08', b'K\x08', b'K\x00'),
)


def pickled(path, content):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', b'\x80\x02' + content + b'.')
        archive.writestr('archive/version', '3')
    return path


@pytest.mark.parametrize(
    ('content', 'name'),
    [
        (b'cnumpy\nndarray\n((K\x01t' + OBJECTS + BYTES + b'tR', 'dtype'),
        (b'cnumpy\nndarray\n((K\x01t' + type_of(b'f8') + BYTES + b'tR', 'ndarray'),
        (b'cnumpy\nndarray\n)\x81', 'ndarray'),
        (type_of(b'f8,O'), 'dtype'),
    ],
    ids=['objects over bytes', 'numbers over bytes', 'an array made new', 'fields'],
)
def test_no_pickle_makes_bytes_pointers(content, name, tmp_path):
    """Pointers would be followed when the array is copied or shown."""
    with pytest.raises(CheckpointUnreadable, match=rf'wants to call numpy\.{name} while it is re'):
        read_checkpoint(pickled(tmp_path / 'weights.pth', content))


def test_what_a_pickle_says_of_a_type_besides_its_code_and_order_is_left_out(tmp_path):
    for kind in (WITH_FIELD, type_of(b'f8')):
        content = EMPTY + b'(K\x01(K\x01t' + kind + b'\x89' + BYTES + b'tb'
        found = read_checkpoint(pickled(tmp_path / 'weights.pth', content)).content
        assert found.dtype == float and found.dtype.names is None
        assert found.tobytes() == b'AAAAAAAA'


def test_no_array_is_filled_again_whose_numbers_a_tensor_has(tmp_path):
    """NumPy would free their memory, and the tensor would show other data."""
    state = b'(K\x01(K\x01t' + type_of(b'f8') + b'\x89' + BYTES + b'tb'
    tensor = b'ctorch._utils\n_rebuild_device_tensor_from_numpy\n(h\x01ctorch\nfloat64\n'
    tensor += b'X\x03\x00\x00\x00cpu\x89tR'
    once = EMPTY + state + b'q\x01' + tensor + b'\x86'
    assert read_checkpoint(pickled(tmp_path / 'once.pth', once)).content[1].shape == (1,)
    twice = EMPTY + state + b'q\x01' + tensor + b'h\x01' + state + b'\x87'
    with pytest.raises(CheckpointUnreadable, match=r'wants to call numpy\.ndarray'):
        read_checkpoint(pickled(tmp_path / 'twice.pth', twice))


def test_a_pickle_makes_no_bytes_of_a_length_that_it_states(tmp_path):
    content = b'c__builtin__\nbytes\n(J\x00\x00\x00\x7ftR'
    with pytest.raises(CheckpointUnreadable, match='damaged'):
        read_checkpoint(pickled(tmp_path / 'weights.pth', content))


def test_arrays_that_are_read_are_saved_as_numpys_own(tmp_path):
    values = [np.arange(6.0).reshape(2, 3), np.array(['a', 'bc']), np.array([1, 2], '>i2')]
    values += [np.asfortranarray(values[0]), np.float32(2.5), np.bool_(True)]
    values += [np.empty((0, 4)), np.str_('')]
    for number in range(2):
        torch.save(values, tmp_path / f'{number}.pth')
        read = read_checkpoint(tmp_path / f'{number}.pth').content
        for value, found in zip(values, read, strict=True):
            assert found.dtype == value.dtype.newbyteorder('=') and found.shape == value.shape
            assert np.all(found == value)
        values = read
    saved = torch.load(tmp_path / '1.pth', weights_only=False)
    assert {type(value) for value in saved} == {np.ndarray, np.float32, np.bool_, np.str_}


def test_types_that_are_read_are_saved_as_numpys_own(tmp_path):
    torch.save(np.dtype('>f4'), tmp_path / 'a.pth')
    torch.save(read_checkpoint(tmp_path / 'a.pth').content, tmp_path / 'b.pth')
    assert torch.load(tmp_path / 'b.pth', weights_only=False) == np.dtype('>f4')
