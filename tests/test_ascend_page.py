"""The tables of docs/ascend.md: their configs and weights exist."""

import re

import pytest

from rexdense.zoo.weights import find_pretrained
from tests.pages import ROOT, text_of

ROWS = re.findall(
    r'^\| `(\w+)_ascend\.yaml` \| `(\S+)` \| `(\S+):(\S+)` \|$',
    text_of(ROOT / 'docs/ascend.md'),
    flags=re.MULTILINE,
)


def test_every_recipe_of_mindcv_has_a_row():
    configs = (ROOT / 'configs/classification').rglob('*_mindcv_imagenet.py')
    folder = ROOT / 'configs/classification'
    assert {row[1] for row in ROWS} == {str(path.relative_to(folder)) for path in configs}


@pytest.mark.parametrize(('recipe', 'config', 'network', 'weights'), ROWS)
def test_rows(recipe, config, network, weights):
    assert network in (ROOT / 'configs/classification' / config).read_text()
    row = find_pretrained(network, weights)
    assert (row.network, row.publisher) == (network, 'mindcv')
    # MindCV's file has the name of its recipe, except for the width of ReXNet.
    stem = recipe.replace('rexnet_x', 'rexnet_')
    assert row.address.rpartition('/')[2].startswith(stem)
