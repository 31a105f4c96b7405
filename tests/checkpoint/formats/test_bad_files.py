"""Unusable checkpoint files: each is refused with one line that describes the file."""

import gzip
import io
import json
import os
import pickle
import resource
import sys
import tarfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import rexdense
from rexdense.checkpoint import convert_checkpoint, export_backbone, read_checkpoint
from rexdense.checkpoint.formats.mindspore_ckpt import write_mindspore
from rexdense.checkpoint.formats.safetensors_files import write_safetensors
from rexdense.checkpoint.formats.writing import write_checkpoint
from rexdense.cli.parser import run_command
from rexdense.errors import CheckpointMismatch, CheckpointUnreadable
from tests.checkpoint.crafted_files import write_crafted
from tests.forked import Forked, tool

ROOT = Path(__file__).resolve().parents[3]
WEIGHTS = rexdense.create_backbone('rexnet_1.0', out_indices=(1,)).state_dict()


def saved(content, **options) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def legacy(content) -> bytes:
    return saved(content, _use_new_zipfile_serialization=False)


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('weights.pth'))
    return file.getvalue()


def mindspore() -> bytes:
    file = io.BytesIO()
    write_mindspore({'stem.features.0.weight': torch.ones(32, 3, 3, 3)}, file)
    return file.getvalue()


def safetensors(tensors) -> bytes:
    file = io.BytesIO()
    write_safetensors(tensors, {}, file)
    return file.getvalue()


def array_file() -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(9))
    return file.getvalue()


def arrays_file() -> bytes:
    file = io.BytesIO()
    np.savez(file, weight=np.ones(9))
    return file.getvalue()


def script() -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), file)
    return file.getvalue()


def with_value(value: float) -> dict:
    state = {key: tensor.clone() for key, tensor in WEIGHTS.items()}
    state['stages.1.1.project.norm.weight'][3] = value
    return state


def with_tensor(make) -> dict:
    """WEIGHTS with one tensor replaced by ``make(tensor)``."""
    name = 'stages.1.1.project.conv.weight'
    return {**WEIGHTS, name: make(WEIGHTS[name])}


def quantised(tensor: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', '.*quantized tensor creation functions')
        return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


def saying(**meta) -> bytes:
    """WEIGHTS with metadata."""
    return saved({'state_dict': WEIGHTS, 'meta': meta})


def endless() -> dict:
    content = {}
    content['model'] = {'state_dict': content}
    return content


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


LANGUAGE_MODEL = {
    f'model.layers.{i}.self_attn.{part}_proj.weight': torch.ones(4, 4)
    for i in range(2)
    for part in 'qkv'
}
OPTIMISER = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict()
TWO_MODELS = {
    f'{who}.{key}': value for who in ('teacher', 'student') for key, value in WEIGHTS.items()
}
SAFETENSORS_HEAD = (70).to_bytes(
    8, 'little'
) + b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'

CONTENTS = {
    'empty': (b'', 'is empty'),
    'one byte': (b'P', 'text file'),
    'text': (b'epoch 1, loss 0.5\n' * 40, "text file .it begins with 'epoch 1"),
    'UTF-16 text': ('loss'.encode('utf-16'), 'unknown kind'),
    'JSON': (b'{"images": [], "annotations": []}', 'JSON file'),
    'JSON list': (b'[1, 2]', 'JSON file'),
    'web page': (b'\n<!DOCTYPE html><html>Not found</html>', 'web page'),
    'LFS pointer': (b'version https://git-lfs.github.com/spec/v1\noid', 'git lfs pull'),
    'gzip': (gzip.compress(saved(WEIGHTS)), 'gunzip'),
    'tar': (tarred(), 'tar archive'),
    'zip of images': (
        zipped(**{'1.jpg': b'x', '2.jpg': b'x'}),
        r"zip archive of 2 files \('1\.jpg', '2\.jpg'\)",
    ),
    'zip of a name of two lines': (zipped(**{'a\nb': b'x'}), r"\('a\\nb'\) without"),
    'empty zip': (zipped(), 'zip archive of 0 files'),
    'NumPy array': (array_file(), 'NumPy array'),
    'NumPy arrays': (arrays_file(), r"zip archive of 1 files \('weight\.npy'\)"),
    'JPEG': (b'\xff\xd8\xff\xe0' + bytes(600), 'JPEG'),
    'PNG': (b'\x89PNG\r\n\x1a\n' + bytes(600), 'PNG'),
    'HDF5': (b'\x89HDF\r\n\x1a\n' + bytes(600), 'HDF5'),
    'GGUF': (b'GGUF\x03' + bytes(600), 'language model'),
    'ONNX': (b'\x08\x07\x12\x07pytorch' + bytes(600), 'unknown kind .it begins with the bytes 08'),
    'noise': (np.random.RandomState(0).bytes(4096), 'unknown kind'),
    'zeros': (bytes(4096), 'unknown kind'),
    'TorchScript': (script(), 'TorchScript'),
    'zip cut in half': (saved(WEIGHTS)[:9000], 'zip archive, cut off'),
    'zip cut at its end': (saved(WEIGHTS)[:-20], 'zip archive, cut off'),
    'legacy cut in its pickle': (legacy(WEIGHTS)[:300], 'cut off or damaged'),
    'legacy cut in its tensors': (legacy(WEIGHTS)[:-5], 'cut off or damaged'),
    'legacy cut after its magic': (legacy(WEIGHTS)[:20], 'cut off or damaged'),
    'damaged pickle': (flipped(legacy(WEIGHTS), 200), 'damaged|wants to call'),
    'safetensors cut': (SAFETENSORS_HEAD + b' ' * 16 + b'\0\0\0\0', 'safetensors file, cut off'),
    'safetensors without JSON': ((9).to_bytes(8, 'little') + b'{garbage}', 'safetensors file'),
    'safetensors without names': ((2).to_bytes(8, 'little') + b'{}', 'no tensors'),
    'ckpt cut': (mindspore()[:-7], '7 bytes are missing'),
    'ckpt with a wrong checksum': (mindspore() + b'crc_num' + bytes(10), 'checksum'),
    'ckpt encrypted': (b'\xda\x5e\x3a\x7f' + bytes(99), 'encrypted MindSpore'),
    'ckpt encrypted, older': (b'\xd8\x5e\x3a\x7f' + bytes(99), 'encrypted MindSpore'),
    'pickle of protocol 4': (pickle.dumps({'a': 1}, 4), 'protocol 4 or later'),
    'optimiser state': (saved(OPTIMISER), "optimiser's state"),
    'list': (saved([torch.ones(2)]), 'holds a list'),
    'tensor': (saved(torch.ones(2)), 'holds a Tensor'),
    'texts': (saved({'a': 'b'}), "no tensors by name .it has 'a'"),
    'nothing': (saved({}), 'no tensors by name .it has nothing'),
    'whole module': (
        saved({'model': torch.nn.Conv2d(3, 3, 1)}),
        r'torch\.nn\.modules\.conv\.Conv2d',
    ),
    'language model': (saved(LANGUAGE_MODEL), 'no tensors named as any known project'),
    'NaN': (saved(with_value(float('nan'))), r'NaN.*stages\.1\.1\.project\.norm\.weight'),
    'infinity': (saved(with_value(float('inf'))), 'NaN or infinite values in 1 tensors'),
    'same tensor twice': (
        saved({'stem.conv.weight': torch.ones(1), 'module.stem.conv.weight': torch.ones(1)}),
        "'stem.conv.weight' twice",
    ),
    'two models': (saved(TWO_MODELS), "two networks, below '(teacher|student)"),
    'language model, safetensors': (safetensors(LANGUAGE_MODEL), 'no tensors named as any known'),
    'names that are numbers': (saved({0: torch.ones(2)}), r'no tensors by name \(it has 0\)'),
    'container of a list': (
        saved({'state_dict': [1]}),
        r"no tensors by name \(it has 'state_dict'",
    ),
    'dictionaries without end': (saved(endless()), 'without end'),
    'complex': (saved(with_tensor(lambda x: x.to(torch.complex64))), 'is torch.complex64'),
    '8-bit floats': (saved(with_tensor(lambda x: x.to(torch.float8_e4m3fn))), 'float8_e4m3fn'),
    'integers': (saved(with_tensor(lambda x: x.to(torch.int8))), 'first stages.*is torch.int8'),
    'sparse': (saved(with_tensor(lambda x: x.to_sparse())), 'torch.sparse_coo'),
    'without values': (saved(with_tensor(lambda x: x.to('meta'))), 'on meta: save the network'),
    'quantised': (
        saved(with_tensor(quantised)),
        'torch.qint8',
    ),
    'nonsense on preprocessing': (saying(preprocessing=7), 'of its preprocessing what cannot be'),
    'half a preprocessing': (saying(preprocessing={'mean': [1.0]}), 'cannot be read .*std'),
    'nonsense on options': (saying(options='same'), "says options='same'"),
    'options of another network': (saying(options={'pool_padding': 'same'}), 'allowed are none'),
    'nonsense on strides': (saying(output_stride=5), 'output_stride=5: allowed are 8, 16 and 32'),
    'unnamed width': (
        saved(
            rexdense.create_backbone('rexnet_1.0', width_mult=1.7, out_indices=(1,)).state_dict()
        ),
        'no named network',
    ),
}


@pytest.fixture(scope='module')
def convert():
    from rexdense.cli import convert

    return convert.main


def refusal(convert, capsys, source, *options) -> str:
    """Return the one-line error of rexdense convert for ``source``."""
    destination = Path(source).parent / 'out' / 'converted.pth'
    destination.parent.mkdir(exist_ok=True)
    with pytest.raises(SystemExit) as ended:
        run_command(convert, [str(source), str(destination), *options], 'rexdense convert')
    output = capsys.readouterr()
    assert ended.value.code == 1
    assert list(destination.parent.iterdir()) == []
    assert output.out == ''
    assert output.err.count('\n') == 1 and 'Traceback' not in output.err
    return output.err


@pytest.mark.parametrize('kind', CONTENTS)
def test_a_bad_file_is_refused_in_one_line(kind, convert, capsys, tmp_path):
    content, message = CONTENTS[kind]
    path = tmp_path / 'weights.pth'
    path.write_bytes(content)
    for write in (export_backbone, convert_checkpoint):
        with pytest.raises((CheckpointUnreadable, CheckpointMismatch), match=message) as error:
            write(path, tmp_path / 'written.pth')
        # The command line folds white space, but the message itself must be one line, too.
        assert '\n' not in str(error.value)
        assert os.listdir(tmp_path) == ['weights.pth']
    assert ' '.join(str(error.value).split()) in refusal(convert, capsys, path)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('absent.pth', 'is not there'),
        ('.', 'folder without a file last_checkpoint'),
        ('moved', 'names epoch_3.pth, which is no file in that folder'),
        ('x' * 300, 'is not there'),
        ('/dev/null', 'no regular file'),
        ('s3://bucket/weights.pth', 'only files, http and https are read'),
        ('open-mmlab://resnext50_32x4', "did you mean 'resnext50_32x4d'"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(name, message, convert, capsys, tmp_path):
    (tmp_path / 'moved').mkdir()
    (tmp_path / 'moved' / 'last_checkpoint').write_text(str(tmp_path / 'gone' / 'epoch_3.pth'))
    source = name if '://' in name else tmp_path / name
    if '://' in name:
        with pytest.raises(rexdense.RexdenseError, match=message):
            convert_checkpoint(source, tmp_path / 'converted.pth')
    else:
        assert message in refusal(convert, capsys, source)


def test_a_name_whose_list_is_in_a_package_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    expected = (
        r'torchvision://resnet50: its address is known to the package torchvision, which is not'
    )
    with pytest.raises(rexdense.errors.MissingDependency, match=expected):
        convert_checkpoint('torchvision://resnet50', tmp_path / 'converted.pth')


@pytest.mark.parametrize(
    'pointer', [b'\xff\xfe', b'x' * 300, b'x' * 10**6, b'', b'/', b'..', b'a\0b', b'{}/secret.pth']
)
def test_a_pointer_leads_to_nothing_outside_its_folder(pointer, convert, capsys, tmp_path):
    torch.save({'a': torch.ones(1)}, tmp_path / 'secret.pth')
    (tmp_path / 'run').mkdir()
    content = pointer.replace(b'{}', os.fsencode(tmp_path))
    (tmp_path / 'run' / 'last_checkpoint').write_bytes(content)
    said = refusal(convert, capsys, tmp_path / 'run')
    assert 'which is no file in that folder: give the checkpoint file' in said


def test_an_enormous_file_is_refused_unread(convert, capsys, tmp_path):
    path = tmp_path / 'weights.safetensors'
    size = 2**42
    tensor = {'dtype': 'U8', 'shape': [size], 'data_offsets': [0, size]}
    header = json.dumps({'stem.conv.weight': tensor}).encode()
    with path.open('wb') as file:
        file.write(len(header).to_bytes(8, 'little') + header)
        file.truncate(8 + len(header) + size)
    assert 'holds 4096.0 GiB' in refusal(convert, capsys, path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, convert, capsys, monkeypatch):
    path = tmp_path / 'weights.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', bytes(2**24))
    monkeypatch.setattr(os, 'sysconf', {'SC_PHYS_PAGES': 2**10, 'SC_PAGE_SIZE': 2**12}.get)
    assert path.stat().st_size < 2**20
    assert 'of memory' in refusal(convert, capsys, path)


def test_a_crafted_file_is_refused_and_writes_nothing(convert, capsys, tmp_path):
    write_crafted('torch zip', tmp_path / 'weights.pth', tmp_path / 'written')
    assert '--trust-pickle' in refusal(convert, capsys, tmp_path / 'weights.pth')
    assert not (tmp_path / 'written').exists()


def test_existing_files_are_kept_without_overwrite(convert, capsys, tmp_path):
    source, destination = tmp_path / 'a.pth', tmp_path / 'b.pth'
    source.write_bytes(saved(WEIGHTS))
    destination.write_bytes(b'precious')
    with pytest.raises(SystemExit):
        run_command(convert, [str(source), str(destination)], 'rexdense convert')
    assert '--overwrite' in capsys.readouterr().err
    assert destination.read_bytes() == b'precious'
    convert([str(source), str(destination), '--overwrite'])
    assert 'rexnet_1.0' in capsys.readouterr().out
    assert read_checkpoint(destination).content['meta']['source'] == 'rexdense'


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors', '.ckpt'])
def test_a_disk_that_takes_no_more_leaves_nothing(suffix, tmp_path):
    source = tmp_path / 'source.pth'
    source.write_bytes(saved(WEIGHTS))
    # torch's zip writer would report that writing failed, but not why.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        for write in (export_backbone, convert_checkpoint):
            with pytest.raises(rexdense.RexdenseError, match=r'cannot be written \(File too large'):
                write(source, tmp_path / f'a{suffix}')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [source]
    convert_checkpoint(source, tmp_path / f'a{suffix}')


@pytest.mark.parametrize('name', ['a.bin', 'a', 'absent/a.pth', ''])
def test_a_destination_that_cannot_be(name, tmp_path):
    with pytest.raises(rexdense.RexdenseError):
        write_checkpoint(tmp_path / name, WEIGHTS)
    assert list(tmp_path.iterdir()) == []


def test_the_program_ends_with_status_1(tmp_path):
    (tmp_path / 'a.pth').write_bytes(b'')
    done = Forked(tool, 'convert.py', f'{tmp_path}/a.pth', f'{tmp_path}/b.pth')
    assert (done.wait(), done.stdout) == (1, '')
    assert (
        done.stderr
        == f'rexdense convert: error: {tmp_path}/a.pth is empty: copy or download it again\n'
    )
