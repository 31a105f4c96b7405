"""Reference implementations, loaded under their own names, against what they computed."""

import json

import numpy as np
import pytest
import torch

import rexdense
from rexdense.arch import architecture, feature_levels
from rexdense.checkpoint import identify, write_checkpoint
from rexdense.checkpoint.schemes import SCHEMES
from tests.shared_files import SHARED, golden_case, golden_cases, golden_rule, needs_shared

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
    'timm_regnetx_002': 'regnetx_200mf',
    'timm_regnetx_008': 'regnetx_800mf',
    'timm_regnetx_032': 'regnetx_3.2gf',
    'timm_regnety_002': 'regnety_200mf',
    'timm_regnety_008': 'regnety_800mf',
    'timm_regnety_032': 'regnety_3.2gf',
    'timm_resnext50_32x4d': 'resnext50_32x4d',
    'timm_resnext101_32x4d': 'resnext101_32x4d',
    'torchvision_regnet_x_800mf': 'regnetx_800mf',
    'torchvision_regnet_y_400mf': 'regnety_400mf',
    'torchvision_resnext50_32x4d': 'resnext50_32x4d',
    'pycls_regnetx-800mf': 'regnetx_800mf',
    'pycls_regnety-400mf': 'regnety_400mf',
    'mindcv_rexnet_09': 'rexnet_0.9',
    'mindcv_rexnet_10': 'rexnet_1.0',
    'mindcv_regnet_x_800mf': 'regnetx_800mf',
    'mindcv_resnext50_32x4d': 'resnext50_32x4d',
}
TOLERANCE = 1e-4

# MindCV names its stage ends by the index of the block or by the stage.
MINDCV_LEVELS = {
    'rexnet': ('features_0', 'features_2', 'features_4', 'features_10', 'features_15'),
    'regnet': (None, 'stages_0', 'stages_1', 'stages_2', 'stages_3'),
    'resnext': (None, 'layer1', 'layer2', 'layer3', 'layer4'),
}

cases = pytest.mark.parametrize('case', [case for case in golden_cases('*') if case in CASES])


@needs_shared
def test_every_reference_is_covered():
    # The U-Net is no classifier: its case belongs to its own tests.
    assert set(golden_cases('*')) - {'zshn25_rexunet'} == set(CASES)


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
def test_every_level_and_the_logits_are_theirs(case, tmp_path):
    meta, state, outputs = weights_of(case)
    name = identify(state)
    assert name == CASES[case]
    image = torch.from_numpy(golden_rule().image(meta['input']))

    suffix = '.ckpt' if case.startswith('mindcv_') else '.safetensors'
    path = write_checkpoint(tmp_path / f'weights{suffix}', state)
    classifier = rexdense.create_classifier(name).eval()
    report = rexdense.load_weights(classifier, path)
    assert (len(report.loaded), report.dropped) == (len(state), [])
    with torch.no_grad():
        assert relative_error(classifier(image), outputs['logits']) < TOLERANCE
        if 'logits97' in outputs:
            odd = torch.from_numpy(golden_rule().image((1, 3, 97, 97), seed=1))
            assert relative_error(classifier(odd), outputs['logits97']) < TOLERANCE

    backbone = rexdense.create_backbone(name, out_indices=range(5)).eval()
    report = rexdense.load_weights(backbone, state)
    assert len(report.loaded) + len(report.dropped) == len(state)
    names = [f'stage{index}' for index in range(5)]
    if case.startswith('mindcv_'):
        names = MINDCV_LEVELS[backbone.architecture.family]
    with torch.no_grad():
        levels = backbone(image)
    compared = 0
    for level, info, key in zip(levels, feature_levels(name), names, strict=True):
        assert level.shape[1] == info.channels
        if key in outputs:
            assert relative_error(level, outputs[key]) < TOLERANCE, info.name
            compared += 1
    assert compared == len([key for key in names if key in outputs]) >= 4
