"""Damaged checkpoints: each is refused with one line, unless the damage is undetectable."""

import contextlib
import io
import zipfile

import pytest
import torch

import rexdense
from rexdense.checkpoint import convert_checkpoint, export_backbone, read_checkpoint
from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.formats.mindspore_ckpt import write_mindspore
from rexdense.checkpoint.formats.safetensors_files import write_safetensors
from rexdense.errors import CheckpointUnreadable, RexdenseError
from tests.mutants import mutants

TENSORS = {'a.weight': torch.randn(3, 4), 'a.bias': torch.randn(3), 'n': torch.tensor(5)}
CONTENT = {'state_dict': TENSORS, 'meta': {'epoch': 1, 'cfg': 'model = dict()'}}


def written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


FILES = {
    'zip': written(lambda file: torch.save(CONTENT, file)),
    'before 1.6': written(
        lambda file: torch.save(CONTENT, file, _use_new_zipfile_serialization=False)
    ),
    'safetensors': written(lambda file: write_safetensors(TENSORS, {'run': '{"a": 1}'}, file)),
    'MindSpore': written(lambda file: write_mindspore(TENSORS, file)),
}


def damaged_pickles():
    """Archives with a damaged pickle and matching checksums."""
    with zipfile.ZipFile(io.BytesIO(FILES['zip'])) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in records if name.endswith('data.pkl'))
    for damaged in mutants(records[name], 600):
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w') as archive:
            for other, content in {**records, name: damaged}.items():
                archive.writestr(other, content)
        yield file.getvalue()


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', [*FILES, 'pickle in a whole zip'])
def test_damage_anywhere_is_no_other_error(tmp_path, kind):
    path, refused = tmp_path / 'weights', 0
    for damaged in mutants(FILES[kind], 600) if kind in FILES else damaged_pickles():
        path.write_bytes(damaged)
        try:
            open_checkpoint(path)
        except RexdenseError as error:
            assert '\n' not in str(error) and str(error).startswith(str(path))
            refused += 1
    assert refused > 300


def with_a_flipped_bit(content, name):
    """Return the archive with one flipped bit in a record's content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        record = archive.getinfo(next(full for full in archive.namelist() if full.endswith(name)))
        held = archive.read(record)
    place = content.index(held, record.header_offset) + len(held) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def by_reader(path, network):
    read_checkpoint(path)


def by_mapping(path, network):
    read_checkpoint(path, mmap=True)


def with_trust(path, network):
    read_checkpoint(path, trust_pickle=True)


def by_load_weights(path, network):
    rexdense.load_weights(network, path)


def by_conversion(path, network):
    convert_checkpoint(path, path.with_name('converted.pth'))


def by_export(path, network):
    export_backbone(path, path.with_name('exported.safetensors'))


@pytest.fixture(scope='module')
def network():
    return rexdense.create_backbone('rexnet_1.0', out_indices=(0,))


@pytest.mark.parametrize('record', ['data.pkl', 'data/0', 'version'])
@pytest.mark.parametrize(
    'route', [by_reader, by_mapping, with_trust, by_load_weights, by_conversion, by_export]
)
def test_a_flipped_bit_is_found_by_every_route(tmp_path, network, route, record):
    content = written(lambda file: torch.save(network.state_dict(), file))
    path = tmp_path / 'weights.pth'
    path.write_bytes(with_a_flipped_bit(content, record))
    with pytest.raises(CheckpointUnreadable, match=r'weights\.pth .*cut off or damaged .*Bad CRC'):
        route(path, network)
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_file_without_checksums_is_read(tmp_path, network):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(network.state_dict(), tmp_path / 'weights.pth')
    finally:
        torch.serialization.set_crc32_options(before)
    assert set(read_checkpoint(tmp_path / 'weights.pth').content) == set(network.state_dict())


def test_notes_without_end_are_text(tmp_path):
    text = '[' * 100_000
    content = written(lambda file: write_safetensors(TENSORS, {'a': text, 'b': '[1]'}, file))
    (tmp_path / 'a.safetensors').write_bytes(content)
    _, state = open_checkpoint(tmp_path / 'a.safetensors')
    assert (state.metadata['a'], state.metadata['b']) == (text, [1])


@pytest.mark.parametrize(
    'note',
    ['[[]]', '{"mean": [1], "std": 5}', '{"mean": [1e999], "std": [1], "input_size": 1e999}'],
)
@pytest.mark.parametrize('key', ['preprocessing', 'options', 'output_stride', 'run'])
def test_notes_of_another_kind_end_in_one_line(tmp_path, network, key, note):
    path = tmp_path / 'a.safetensors'
    path.write_bytes(
        written(lambda file: write_safetensors(network.state_dict(), {key: note}, file))
    )
    with contextlib.suppress(RexdenseError):
        convert_checkpoint(path, tmp_path / 'b.pth')
