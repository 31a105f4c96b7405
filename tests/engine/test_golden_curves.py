"""The losses of 20 steps of each task are those that are stored: numbers do not change unseen."""

import json

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from tests.golden_curves import STORED, TOLERANCES, curve, farthest, make_data, stack

CONTENT = json.loads(STORED.read_text())
pytestmark = [
    pytest.mark.usefixtures('fresh_mmengine'),
    pytest.mark.skipif(
        stack() != CONTENT['stack'], reason=f'the curves are those of {CONTENT["stack"]}'
    ),
]
MUTANTS = {
    'momentum': 'optim_wrapper.optimizer.betas=[0.8,0.999]',
    'augmentation': 'train_dataloader.dataset.pipeline.1.prob=0.0',
}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp('curves'))


@pytest.mark.parametrize('kind', TOLERANCES)
def test_curve(kind, data, tmp_path):
    found, stored = curve(kind, data, tmp_path), CONTENT['curves'][kind]
    share, place = farthest(found, stored)
    assert share < TOLERANCES[kind], (
        f'{kind}: {place}. If this change of numbers is meant, write tests/golden_curves.json anew '
        'with python -m tests.golden_curves --write, and tell of it under "Silent changes" in '
        'CHANGELOG.md'
    )


@pytest.mark.parametrize('mutant', MUTANTS)
def test_a_change_of_numbers_is_seen(mutant, data, tmp_path):
    found = curve('classifier', data, tmp_path, [MUTANTS[mutant]])
    share, _ = farthest(found, CONTENT['curves']['classifier'])
    assert share > 3 * TOLERANCES['classifier']
