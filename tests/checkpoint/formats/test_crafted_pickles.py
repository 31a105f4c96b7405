"""Files that would run code: refused by every route, and nothing of them happens."""

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
    # Without this the test above would pass for files that do nothing anyway.
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
