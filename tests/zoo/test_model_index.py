"""The index of configs and published figures for mim and mmengine."""

import pytest
import yaml

from rexdense.shipped_configs import find_config
from rexdense.zoo.model_index import METAFILE, model_index, render_model_index
from tests.pages import ROOT

FILE = ROOT / METAFILE
MODELS = model_index()['Models']


def test_the_file_is_what_the_zoo_says():
    assert FILE.read_text() == render_model_index(), 'rexdense zoo --index writes it anew'
    assert yaml.safe_load((ROOT / 'model-index.yml').read_text()) == {'Import': [str(METAFILE)]}
    assert yaml.safe_load(FILE.read_text()) == model_index()


@pytest.mark.parametrize(
    ('name', 'publisher', 'metrics'),
    [
        ('faster-rcnn_rexnet-1.0_fpn_1x_coco', 'clovaai', {'box AP': 38.5}),
        ('mask-rcnn_regnetx-3.2gf_fpn_1x_coco', 'mmdet', {'box AP': 40.3, 'mask AP': 36.6}),
        ('rexnet-1.0_clovaai_imagenet', 'clovaai', {'Top 1 Accuracy': 77.9}),
        ('rexnet-1.0_mindcv_imagenet', 'mindcv', {'Top 1 Accuracy': 77.38}),
        ('regnetx-3.2gf_pycls_imagenet', 'pycls', {'Top 1 Accuracy': 78.3}),
    ],
)
def test_figures_are_those_of_the_publisher(name, publisher, metrics):
    (entry,) = (each for each in MODELS if each['Name'] == name)
    assert entry['Published By'] == publisher and entry['Source']
    found = {key: value for result in entry['Results'] for key, value in result['Metrics'].items()}
    assert found == metrics


def test_figures_that_nobody_published_are_left_out():
    names = {each['Name'] for each in MODELS}
    assert 'rexnetr-1.0_clovaai_imagenet' not in names
    assert 'faster-rcnn_rexnet-3.0_fpn_1x_coco' not in names
    assert not any('Weights' in each for each in MODELS), 'no weights of these configs exist'


@pytest.mark.parametrize('entry', MODELS, ids=lambda entry: entry['Name'])
def test_configs_are_there_and_say_the_same(entry):
    path = ROOT / entry['Config']
    assert find_config(entry['Name']) == path
    said = path.read_text().split('"""')[1]
    for result in entry['Results']:
        for metric, value in result['Metrics'].items():
            # pycls publishes errors.
            error = f'{100 - value:.1f}' if metric.startswith('Top') else ''
            assert f'{value}' in said or error in said


def test_mmengine_reads_a_config_by_the_index():
    hub = pytest.importorskip('mmengine.hub')
    utils = pytest.importorskip('mmengine.config.utils')
    utils.MODULE2PACKAGE.setdefault('rexdense', 'rexdense')
    config = hub.get_config('rexdense::rexnet/faster-rcnn_rexnet-1.0_fpn_1x_coco.py')
    assert config.model.backbone.arch == 'rexnet_1.0'
