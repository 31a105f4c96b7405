"""rexdense export: parts of checkpoints as weights and as graphs, and what it refuses."""

import json

import pytest

pytest.importorskip('mmdet')

import torch

import rexdense
from rexdense.cli import export
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.engine.trained.model import load_trained_model
from rexdense.errors import (
    CheckpointMismatch,
)
from rexdense.models.unet import ReXUNet
from tests.models.networks import image, network, randomise, relative_error


def exported(part, checkpoint, out, *more, format='torchscript'):
    """Run the program; return what the JSON file beside the written one says."""
    arguments = [part, str(checkpoint), '--format', format, '--out', str(out), *more]
    export.main(arguments)
    return json.loads(out.with_name(f'{out.name}.json').read_text())


def run_graph(path, images):
    return GRAPH_FORMATS['torchscript'].open(path)(images)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Released-like weights: tensors alone, of a classifier with seven classes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'weights.pth'
    torch.save(randomise(rexdense.create_classifier('rexnet_1.0', 7)).state_dict(), path)
    return path


def test_a_backbone_from_weights_alone(weights, tmp_path, capsys):
    out = tmp_path / 'backbone.pt'
    beside = exported('backbone', weights, out, '--out-indices', '1,2', '--size', '96,64')
    assert beside['architecture'] == 'rexnet_1.0'
    assert [output['name'] for output in beside['outputs']] == ['c2', 'c3']
    assert beside['source'] == dict(project='rexdense', file='weights.pth')
    assert beside['preprocessing']['channel_order'] == 'RGB'
    printed = capsys.readouterr().out
    assert str(out) in printed and 'rexnet_1.0' in printed and 'largest error' in printed
    backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(1, 2)).eval()
    rexdense.load_weights(backbone, weights)
    images = image(1, 3, 65, 97)
    with torch.no_grad():
        expected = backbone(images)
    for found, level in zip(run_graph(out, images).values(), expected, strict=True):
        assert relative_error(found, level) < 1e-4


def test_a_classifier_has_the_classes_of_its_weights(weights, tmp_path):
    beside = exported('classifier', weights, tmp_path / 'classifier.pt')
    assert beside['outputs'] == [dict(name='logits', shape=['batch', 7])]


UNNAMED = dict(arch='rexnet_1.0', width_mult=0.5, depth_mult=0.1)


@pytest.fixture
def unnamed(tmp_path):
    """A training file's classifier of a width and depth that no name has."""
    torch.manual_seed(0)
    arguments = {key: value for key, value in UNNAMED.items() if key != 'arch'}
    classifier = randomise(rexdense.create_classifier('rexnet_1.0', 5, **arguments)).eval()
    content = dict(state_dict=classifier.state_dict(), meta=dict(cfg=config_text()))
    torch.save(content, tmp_path / 'unnamed.pth')
    return classifier, tmp_path / 'unnamed.pth'


def config_text(**changes):
    arguments = ', '.join(f'{key}={value!r}' for key, value in (UNNAMED | changes).items())
    return f"model = dict(backbone=dict(type='rexdense.ReXNet', {arguments}))\n"


def test_a_network_without_a_name_is_the_one_that_its_config_describes(unnamed, tmp_path):
    classifier, file = unnamed
    beside = exported('classifier', file, tmp_path / 'classifier.pt')
    assert beside['architecture'] is None and beside['built_from'] == UNNAMED
    images = image(1, 3, 65, 97)
    found = run_graph(tmp_path / 'classifier.pt', images)['logits']
    with torch.no_grad():
        assert relative_error(found, classifier(images)) < 1e-4
    # The file beside exported weights says it, too.
    beside = exported('weights', file, tmp_path / 'timm.pth', format='timm')
    assert beside['architecture'] is None and beside['built_from'] == UNNAMED
    assert [level['channels'] for level in beside['levels']] == [
        level.channels for level in classifier.backbone.feature_info
    ]
    exported('weights', tmp_path / 'timm.pth', tmp_path / 'own.pth', format='rexdense')
    own = torch.load(tmp_path / 'own.pth', weights_only=True)
    for name, value in classifier.backbone.state_dict().items():
        if not name.endswith('num_batches_tracked'):
            torch.testing.assert_close(own[name], value, rtol=0, atol=0)
    beside = exported('backbone', tmp_path / 'timm.pth', tmp_path / 'backbone.pt')
    assert beside['architecture'] is None and beside['built_from'] == UNNAMED


@pytest.mark.parametrize(
    'changes',
    [dict(width_mult=0.6), dict(width_mult='wide'), dict(arch='rexnet_7'), dict(arch=None)],
)
def test_a_config_that_describes_another_network_is_not_believed(unnamed, changes, tmp_path):
    classifier, file = unnamed
    content = dict(state_dict=classifier.state_dict(), meta=dict(cfg=config_text(**changes)))
    torch.save(content, file)
    with pytest.raises(CheckpointMismatch, match='no named network'):
        exported('classifier', file, tmp_path / 'classifier.pt')
    assert [path.name for path in tmp_path.iterdir()] == ['unnamed.pth']


@pytest.mark.slow
def test_a_backbone_of_a_training_file(trained, tmp_path):
    """Its config says which levels there are, and how images are normalised."""
    out = tmp_path / 'backbone.pt'
    beside = exported('backbone', trained.checkpoint, out)
    assert [output['name'] for output in beside['outputs']] == ['c2', 'c3', 'c4', 'c5']
    assert beside['preprocessing']['mean'] == [123.675, 116.28, 103.53]
    assert beside['run']['epoch'] == 1 and len(beside['classes']) == 6
    model = load_trained_model(trained.checkpoint, 'cpu').model
    images = image(1, 3, 65, 97)
    with torch.no_grad():
        expected = model.backbone(images)
    for found, level in zip(run_graph(out, images).values(), expected, strict=True):
        assert relative_error(found, level) < 1e-4


@pytest.mark.slow
def test_the_region_proposals_of_a_training_file(trained, tmp_path):
    beside = exported('rpn', trained.checkpoint, tmp_path / 'rpn.pt')
    assert beside['model'] == 'FasterRCNN' and len(beside['outputs']) == 10


@pytest.mark.slow
def test_the_unet_of_zshn25(tmp_path):
    torch.manual_seed(0)
    torch.save(randomise(ReXUNet()).state_dict(), tmp_path / 'rexunet.pth')
    beside = exported('segmentor', tmp_path / 'rexunet.pth', tmp_path / 'rexunet.pt')
    assert [output['stride'] for output in beside['outputs']] == [1, 2, 4, 8, 16, 32]


def test_weights_in_the_names_of_a_project(trained, tmp_path):
    beside = exported('weights', trained.checkpoint, tmp_path / 'timm.pth', format='timm')
    assert beside['built_from'] == dict(arch='rexnet_1.0', depth_mult=0.3)
    assert beside['format'] == 'timm'
    assert 'stem.conv.weight' in torch.load(tmp_path / 'timm.pth', weights_only=True)


def test_weights_of_no_number_are_refused(tmp_path):
    state = network('regnetx_200mf', out_indices=(1,)).state_dict()
    state['stem.conv.weight'][0] = torch.nan
    torch.save(state, tmp_path / 'nan.pth')
    arch = ('--arch', 'regnetx_200mf')
    with pytest.raises(CheckpointMismatch, match=r'stem\.conv\.weight'):
        exported('backbone', tmp_path / 'nan.pth', tmp_path / 'a.pt', '--out-indices', '1', *arch)
    assert [path.name for path in tmp_path.iterdir()] == ['nan.pth']
