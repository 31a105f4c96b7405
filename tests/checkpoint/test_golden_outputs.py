"""Reference implementations, loaded under their own names, against what they computed."""

import json

import numpy as np
import pytest
import torch

import rexdense
from rexdense.arch import architecture, feature_levels
from rexdense.checkpoint import identify
from rexdense.checkpoint.schemes import SCHEMES
from tests.shared_files import SHARED, golden_case, golden_cases, golden_rule

CASES = {
    'clovaai_rexnet_0.9': 'rexnet_0.9',
    'clovaai_rexnet_1.0': 'rexnet_1.0',
    'clovaai_rexnet_1.3': 'rexnet_1.3',
    'clovaai_rexnet_1.5': 'rexnet_1.5',
    'clovaai_rexnet_2.0': 'rexnet_2.0',
    'clovaai_rexnet_2.2': 'rexnet_2.2',
    'clovaai_rexnet_3.0': 'rexnet_3.0',
    'clovaai_rexnet_lite_1.0': 'rexnet_lite_1.0',
    'clovaai_rexnet_lite_1.3': 'rexnet_lite_1.3',
    'clovaai_rexnet_lite_1.5': 'rexnet_lite_1.5',
    'clovaai_rexnet_lite_2.0': 'rexnet_lite_2.0',
    'timm_rexnet_100': 'rexnet_1.0',
    'timm_rexnet_130': 'rexnet_1.3',
    'timm_rexnetr_100': 'rexnetr_1.0',
    'timm_rexnetr_150': 'rexnetr_1.5',
}
TOLERANCE = 1e-4

cases = pytest.mark.parametrize('case', golden_cases('clovaai_*', 'timm_rexnet*'))


def weights_of(case: str) -> tuple[dict, dict[str, torch.Tensor], dict[str, np.ndarray]]:
    meta, state, outputs = golden_case(case)
    return meta, {key: torch.from_numpy(value) for key, value in state.items()}, outputs


def relative_error(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


@cases
def test_names_and_shapes_are_theirs_in_their_order(case):
    meta = json.loads((SHARED / 'golden' / f'{case}.json').read_text())
    entries = SCHEMES[case.split('_')[0]].entries(architecture(CASES[case]))
    assert [[entry.theirs, list(entry.shape)] for entry in entries] == meta['keys']


@cases
def test_every_level_and_the_logits_are_theirs(case):
    meta, state, outputs = weights_of(case)
    name = identify(state)
    assert name == CASES[case]
    image = torch.from_numpy(golden_rule().image(meta['input']))

    classifier = rexdense.create_classifier(name).eval()
    report = rexdense.load_weights(classifier, state)
    assert (len(report.loaded), report.dropped) == (len(state), [])
    with torch.no_grad():
        assert relative_error(classifier(image), outputs['logits']) < TOLERANCE

    backbone = rexdense.create_backbone(name, out_indices=range(5)).eval()
    report = rexdense.load_weights(backbone, state)
    assert len(report.loaded) + len(report.dropped) == len(state)
    with torch.no_grad():
        levels = backbone(image)
    for index, (level, info) in enumerate(zip(levels, feature_levels(name), strict=True)):
        assert level.shape[1] == info.channels
        if f'stage{index}' in outputs:
            assert relative_error(level, outputs[f'stage{index}']) < TOLERANCE, info.name
