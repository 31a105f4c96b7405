"""Backbones exported for other projects: tensor names, file content, and the JSON file."""

import errno
import hashlib
import importlib
import json
import os

import pytest
import torch

import rexdense
from rexdense.arch import architecture, feature_levels
from rexdense.checkpoint import (
    BACKBONE_FORMATS,
    SCHEMES,
    convert_checkpoint,
    export_backbone,
    published_preprocessing,
    read_checkpoint,
    write_checkpoint,
)
from rexdense.checkpoint.formats.mindspore_ckpt import read_mindspore
from rexdense.errors import CheckpointMismatch, CheckpointUnreadable, InvalidArgument, UnknownName
from tests.checkpoint.trained_networks import Detector, assert_equal
from tests.models.networks import SMALL, network
from tests.shared_files import SHARED, golden_case, golden_cases, golden_meta, needs_shared

SUFFIXES = {'timm': '.safetensors', 'rexdense': '.safetensors', 'mindcv': '.ckpt'}
SUPPORTED = [
    (name, names)
    for name in SMALL
    for names in BACKBONE_FORMATS
    if SCHEMES[names].entries(architecture(name))
]
# Every project and family once; the other cases differ only in numbers. timm's ResNeXt has
# torchvision's names.
GOLDEN = (
    'clovaai_rexnet_1.0',
    'clovaai_rexnet_lite_1.0',
    'timm_rexnet_100',
    'timm_rexnetr_100',
    'timm_regnetx_002',
    'timm_regnety_002',
    'torchvision_regnet_x_800mf',
    'torchvision_regnet_y_400mf',
    'torchvision_resnext50_32x4d',
    'pycls_regnetx-800mf',
    'pycls_regnety-400mf',
    'mindcv_rexnet_10',
    'mindcv_regnet_x_800mf',
    'mindcv_resnext50_32x4d',
)
golden = pytest.mark.parametrize('case', [case for case in golden_cases('*') if case in GOLDEN])
# The layers outside a backbone, in each project's names.
HEADS = {
    'clovaai': ('features.19.', 'features.20.', 'output.'),
    'timm': ('features.16.', 'head.', 'fc.'),
    'torchvision': ('fc.',),
    'pycls': ('head.',),
    'mindcv': ('features.16.', 'cls.', 'head.', 'classifier.'),
}


def sidecar_of(path) -> dict:
    return json.loads(path.with_name(path.name + '.json').read_text())


def tensors_in(path) -> dict[str, torch.Tensor]:
    """Return the tensors of a file in its own order."""
    return read_mindspore(path) if path.suffix == '.ckpt' else read_checkpoint(path).content


def golden_tensors(case: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """Return the JSON of a golden case, and tensors with its names and shapes."""
    meta = golden_meta(case)
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in meta['keys']:
        counter = key.endswith('num_batches_tracked')
        state[key] = torch.tensor(3) if counter else torch.rand(shape, generator=generator)
    return meta, state


def body_keys(case: str, keys: list) -> list:
    return [key for key in keys if not key[0].startswith(HEADS[case.split('_')[0]])]


@pytest.mark.parametrize(('name', 'names'), SUPPORTED)
def test_there_and_back_changes_no_bit(name, names, tmp_path):
    source = network(name)
    for index, buffer in enumerate(source.buffers()):
        if not buffer.dim():
            buffer.fill_(index)
    path = tmp_path / f'a{SUFFIXES.get(names, ".pth")}'
    report = export_backbone(source.state_dict(), path, names)
    assert (report.architecture, report.dropped) == (name, [])

    details = sidecar_of(path)
    assert details['architecture'] == name
    assert details['format'] == names
    assert details['sha256'] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert details['levels'] == [level._asdict() for level in feature_levels(name)]

    target = rexdense.create_backbone(name)
    report = rexdense.load_weights(target, path)
    assert report.complete and len(report.loaded) == len(tensors_in(path))
    counted = names != 'mindcv'  # MindSpore has no batch counters.
    expected = {key: value for key, value in source.state_dict().items() if counted or value.dim()}
    assert_equal(target, expected)


def in_order(path, keys: list[list]) -> list[list]:
    """Return names and shapes in the order of a file: the package safetensors sorts them."""
    return sorted(keys) if path.suffix == '.safetensors' else keys


@needs_shared
@golden
def test_the_keys_are_the_projects_own_in_their_order(case, tmp_path):
    meta, state = golden_tensors(case)
    names = case.split('_')[0]
    path = tmp_path / f'a{SUFFIXES.get(names, ".pth")}'
    export_backbone(state, path, names)
    written = tensors_in(path)
    expected = body_keys(case, meta['keys'])
    assert [[key, list(value.shape)] for key, value in written.items()] == in_order(path, expected)
    assert 0 < len(written) < len(state)
    assert all(torch.equal(value, state[key]) for key, value in written.items())

    # To rexdense's names and back.
    export_backbone(path, tmp_path / 'ours.safetensors')
    back = tmp_path / f'back{path.suffix}'
    export_backbone(tmp_path / 'ours.safetensors', back, names)
    assert list(tensors_in(back)) == list(written)
    assert all(torch.equal(value, state[key]) for key, value in tensors_in(back).items())
    assert sidecar_of(back)['preprocessing'] == sidecar_of(path)['preprocessing']
    assert sidecar_of(back)['options'] == sidecar_of(path)['options']


@needs_shared
@pytest.mark.parametrize(
    'case', [case for case in golden_cases('*') if case in GOLDEN and 'resnext' not in case]
)
def test_a_conversion_keeps_the_head_and_the_order(case, tmp_path):
    meta, state = golden_tensors(case)
    names = case.split('_')[0]
    first = write_checkpoint(tmp_path / f'a{SUFFIXES.get(names, ".pth")}', state)
    ours, back = tmp_path / 'ours.safetensors', tmp_path / f'back{first.suffix}'
    convert_checkpoint(first, ours)
    convert_checkpoint(ours, back, names=names)
    written = tensors_in(back)
    found = [[key, list(value.shape)] for key, value in written.items()]
    assert found == in_order(back, meta['keys'])
    assert all(torch.equal(value, state[key]) for key, value in written.items())


@needs_shared
@pytest.mark.parametrize('case', golden_cases('mindcv_*'))
def test_a_mindspore_file_is_written_byte_for_byte(case, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SHARED / 'golden'))
    reference = importlib.import_module('write_ckpt')
    meta, state, _ = golden_case(case)
    state = {key: torch.from_numpy(value) for key, value in state.items()}
    export_backbone(state, tmp_path / 'a.ckpt', 'mindcv')
    reference.write(body_keys(case, meta['keys']), meta['gamma'], tmp_path / 'b.ckpt')
    assert (tmp_path / 'a.ckpt').read_bytes() == (tmp_path / 'b.ckpt').read_bytes()


def test_all_but_the_backbone_of_a_detector_is_left_out(tmp_path):
    detector = Detector()
    meta = dict(
        epoch=3,
        iter=60,
        seed=1,
        experiment_name='cells',
        mmengine_version='0.10.7',
        cfg=(
            "model = dict(backbone=dict(type='rexdense.ReXNet', output_stride=16),"
            'data_preprocessor=dict(mean=[1, 2, 3], std=[4, 5, 6], bgr_to_rgb=False))\n'
        ),
    )
    source = tmp_path / 'epoch_3.pth'
    torch.save({'state_dict': detector.state_dict(), 'optimizer': {}, 'meta': meta}, source)
    report = export_backbone(source, tmp_path / 'a.safetensors', 'timm')
    assert report.dropped == ['neck.weight', 'neck.bias', 'bbox_head.weight', 'bbox_head.bias']
    assert 'trained on BGR images, timm mostly gives RGB' in str(report)

    details = sidecar_of(tmp_path / 'a.safetensors')
    assert details['source'] == {'project': 'rexdense', 'file': 'epoch_3.pth'}
    assert details['run'] == {key: value for key, value in meta.items() if key != 'cfg'}
    assert (details['output_stride'], details['levels'][4]['stride']) == (16, 16)
    assert details['preprocessing']['channel_order'] == 'BGR'
    assert details['preprocessing']['mean'] == [1, 2, 3]

    target = rexdense.create_backbone('rexnet_1.0')
    report = rexdense.load_weights(target, tmp_path / 'a.safetensors')
    assert report.preprocessing.mean == (1, 2, 3)
    assert_equal(target, detector.backbone.state_dict())
    # A second export keeps the details of the run.
    export_backbone(tmp_path / 'a.safetensors', tmp_path / 'b.ckpt', 'mindcv')
    assert sidecar_of(tmp_path / 'b.ckpt')['run'] == details['run']


def test_levels_that_were_not_built_are_not_promised(tmp_path):
    source = rexdense.create_backbone('rexnet_1.0', out_indices=(3,), in_channels=1)
    export_backbone(source.state_dict(), tmp_path / 'a.pth', 'clovaai')
    details = sidecar_of(tmp_path / 'a.pth')
    assert [level['name'] for level in details['levels']] == ['c1', 'c2', 'c3', 'c4']
    assert details['in_channels'] == 1


def test_the_pooling_and_the_colours_travel(tmp_path):
    source = rexdense.create_backbone('resnext50_32x4d')
    export_backbone(source.state_dict(), tmp_path / 'a.ckpt', 'mindcv')
    # Other projects' files do not state it, but the tensor names determine it.
    (tmp_path / 'a.ckpt.json').unlink()
    report = export_backbone(tmp_path / 'a.ckpt', tmp_path / 'b.pth', 'torchvision')
    assert "trained with pool_padding='same', torchvision computes with 'symmetric'" in str(report)
    target = rexdense.create_backbone('resnext50_32x4d')
    rexdense.load_weights(target, tmp_path / 'b.pth')
    assert target.pool_padding == 'same'

    regnet = rexdense.create_backbone('regnetx_200mf')
    export_backbone(regnet.state_dict(), tmp_path / 'a.pth', 'pycls')
    (tmp_path / 'a.pth.json').unlink()
    export_backbone(tmp_path / 'a.pth', tmp_path / 'b.safetensors', 'timm')
    report = rexdense.load_weights(regnet, tmp_path / 'b.safetensors')
    assert report.preprocessing == published_preprocessing('pycls', 'regnetx_200mf')


class TestWhatIsRefused:
    @pytest.fixture
    def source(self, tmp_path):
        state = network('rexnet_1.0', out_indices=(1,)).state_dict()
        return write_checkpoint(tmp_path / 'source.pth', state)

    @pytest.mark.parametrize('name', ['a.pth', 'a.pth.json'])
    def test_existing_files_are_kept_without_overwrite(self, name, source, tmp_path):
        (tmp_path / name).write_bytes(b'precious')
        # The destination is checked before the source, which does not exist here.
        with pytest.raises(InvalidArgument, match=rf'{name} exists: .*--overwrite'):
            export_backbone(tmp_path / 'absent.pth', tmp_path / 'a.pth')
        assert (tmp_path / name).read_bytes() == b'precious'
        assert {path.name for path in tmp_path.iterdir()} == {'source.pth', name}
        export_backbone(source, tmp_path / 'a.pth', overwrite=True)
        assert sidecar_of(tmp_path / 'a.pth')['architecture'] == 'rexnet_1.0'

    @pytest.mark.parametrize('failing', ['a.pth', 'a.pth.json'])
    @pytest.mark.parametrize('rename', ['link', 'replace'])
    def test_both_files_are_there_or_none(self, failing, rename, source, tmp_path, monkeypatch):
        """An old pair that was to be replaced remains, and can be loaded."""
        before = {}
        if rename == 'replace':
            export_backbone(source, tmp_path / 'a.pth', 'timm')
            before = {path: path.read_bytes() for path in tmp_path.glob('a.*')}
        renamed = getattr(os, rename)

        def fail(aside, place):
            if aside.suffix == '.part' and place.name == failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            renamed(aside, place)

        monkeypatch.setattr(os, rename, fail)
        with pytest.raises(
            InvalidArgument, match=rf'{failing} cannot be written \(Input/output error\): choose'
        ):
            export_backbone(source, tmp_path / 'a.pth', overwrite=bool(before))
        assert {path: path.read_bytes() for path in tmp_path.glob('*a.*')} == before
        if before:
            target = rexdense.create_backbone('rexnet_1.0', out_indices=(1,))
            assert rexdense.load_weights(target, tmp_path / 'a.pth').complete

    @pytest.mark.parametrize('suffix', ['.pth', '.pth.json'])
    @pytest.mark.parametrize('write', [export_backbone, convert_checkpoint])
    def test_the_source_is_never_replaced(self, suffix, write, source, tmp_path):
        """Nor under another path, nor by the sidecar."""
        if suffix == '.pth.json' and write is convert_checkpoint:
            pytest.skip('nothing lies beside what it writes')
        if suffix == '.pth.json':
            source = source.rename(tmp_path / 'source.pth.json')
        content = source.read_bytes()
        destination = tmp_path / 'source.pth'
        (tmp_path / 'last_checkpoint').write_text(source.name)
        (tmp_path / 'link').symlink_to(tmp_path)
        for read in (source, str(source), tmp_path, tmp_path / 'link' / source.name):
            with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be'):
                write(read, destination, overwrite=True)
        if suffix == '.pth':
            os.link(source, tmp_path / 'hard.pth')
            with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be'):
                write(source, tmp_path / 'hard.pth', overwrite=True)
        assert source.read_bytes() == content

    @pytest.mark.parametrize(
        ('arguments', 'error', 'message'),
        [
            (('a.pth', 'tim'), UnknownName, "no format is called 'tim': did you mean 'timm'"),
            (('a.pth', 'zshn25'), UnknownName, 'no format is called'),
            (('a.bin',), InvalidArgument, r'must end in one of \.pth, \.safetensors, \.ckpt'),
            (('absent/a.pth',), InvalidArgument, 'make the folder'),
            (('a.pth', 'torchvision'), CheckpointMismatch, 'torchvision has no such rexnet'),
            (('a.pth', 'openmmlab'), CheckpointMismatch, 'it has networks of regnet, resnext'),
        ],
    )
    def test_unfit_destinations_are_refused(self, arguments, error, message, source, tmp_path):
        destination, *names = arguments
        with pytest.raises(error, match=message):
            export_backbone(source, tmp_path / destination, *names)
        assert list(tmp_path.iterdir()) == [source]

    def test_values_that_are_no_numbers(self, tmp_path):
        state = network('rexnet_1.0', out_indices=(1,)).state_dict()
        state['stem.conv.weight'][0, 0, 0, 0] = float('inf')
        with pytest.raises(CheckpointMismatch, match=r'stem\.conv\.weight.*--allow-non-finite'):
            export_backbone(state, tmp_path / 'a.pth')
        assert list(tmp_path.iterdir()) == []
        export_backbone(state, tmp_path / 'a.pth', allow_non_finite=True)

    def test_weights_that_are_not_those_that_were_written(self, source, tmp_path):
        path = tmp_path / 'a.pth'
        export_backbone(source, path)
        other = network('rexnet_1.0', out_indices=(0,)).state_dict()
        write_checkpoint(path, other, overwrite=True)
        target = rexdense.create_backbone('rexnet_1.0', out_indices=(1,))
        with pytest.raises(
            CheckpointUnreadable, match=r'sha256 \w+\.\.\., a\.pth\.json was .*copy'
        ):
            rexdense.load_weights(target, path)

    @pytest.mark.parametrize('text', ['{', '[1]', '{"sha": 1}', '[' * 100_000])
    def test_another_file_of_that_name_is_passed_over(self, text, source, tmp_path):
        (tmp_path / 'source.pth.json').write_text(text)
        target = rexdense.create_backbone('rexnet_1.0', out_indices=(1,))
        assert rexdense.load_weights(target, source).complete
