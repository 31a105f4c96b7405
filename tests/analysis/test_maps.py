"""Feature maps and class activations beside what the networks compute."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rexdense import create_classifier
from rexdense.analysis.maps import class_activation, level_maps, strongest_channels
from rexdense.errors import InvalidArgument, MissingDependency

IMAGE = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(0))


def test_maps_are_those_of_the_backbone():
    backbone = create_classifier('rexnet_1.0', 4, out_indices=(0, 2, 4)).backbone.train()
    found = level_maps(backbone, IMAGE)
    assert backbone.training
    backbone.eval()
    with torch.no_grad():
        wanted = backbone(IMAGE)
    assert [level.name for level, _ in found] == ['c1', 'c3', 'c5']
    for (level, map_), tensor in zip(found, wanted, strict=True):
        assert map_.shape[0] == level.channels
        assert np.allclose(map_, tensor[0].numpy(), atol=1e-6)


def test_the_channels_that_vary_most_come_first():
    maps = np.zeros((4, 3, 3))
    maps[2, 0, 0], maps[0, 1, 1], maps[3] = 5, 1, 9
    assert strongest_channels(maps, 3) == [2, 0, 1]


@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnetx_200mf'])
def test_activation_is_the_weighted_map_of_a_linear_head(name):
    """Under a mean and a linear layer Grad-CAM is the map weighted by that layer's row."""
    pytest.importorskip('captum')
    torch.manual_seed(0)
    classifier = create_classifier(name, 5).train()
    with torch.no_grad():
        classifier.head.fc.weight[3].abs_()  # else all may speak against the class
    found = class_activation(classifier, IMAGE, 3)
    assert classifier.training
    classifier.eval()
    with torch.no_grad():
        map_ = classifier.forward_features(IMAGE)[0]
        scores = classifier(IMAGE).softmax(1)[0]
    weights = classifier.head.fc.weight[3].detach() / map_[0].numel()
    wanted = torch.einsum('c,chw->hw', weights, map_).relu().numpy()
    assert np.allclose(found.heat, wanted, atol=1e-6) and found.heat.max() > 0
    assert found.label == 3 and found.score == pytest.approx(float(scores[3]))
    best = class_activation(classifier, IMAGE)
    assert best.label == int(scores.argmax())


def test_another_class_is_refused():
    pytest.importorskip('captum')
    with pytest.raises(InvalidArgument, match='0 to 4'):
        class_activation(create_classifier('regnetx_200mf', 5), IMAGE, 5)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, 'captum.attr', raising=False)
    for name in [name for name in sys.modules if name.split('.')[0] == 'captum']:
        monkeypatch.delitem(sys.modules, name)
    absent = SimpleNamespace(find_spec=lambda name, *_: _missing(name))
    monkeypatch.setattr(sys, 'meta_path', [absent, *sys.meta_path])
    with pytest.raises(MissingDependency, match='pip install captum'):
        class_activation(create_classifier('regnetx_200mf', 5), IMAGE)


def _missing(name):
    if name == 'captum':
        raise ModuleNotFoundError(f'No module named {name!r}', name=name)
