"""Reference implementations' weights, loaded by their own names, give the reference outputs.

The tests include samples of the outputs. The whole outputs are also compared if they are available.
"""

import math

import numpy as np
import pytest
import torch

import rexdense
from rexdense.arch import architecture, feature_levels
from rexdense.checkpoint import identify, write_checkpoint
from rexdense.checkpoint.schemes import SCHEMES, Entry
from rexdense.zoo import load_measured
from tests.golden import SAMPLES, TOLERANCE, assert_samples, digest, filled, picture, sampled
from tests.shared_files import (
    SHARED,
    golden_cases,
    golden_meta,
    golden_outputs,
    golden_rule,
    needs_shared,
)

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

LARGE = {name for name, network in load_measured().items() if network.parameters > 8e6}
FIRST = {(case.split('_')[0], architecture(CASES[case]).family): case for case in reversed(CASES)}
"""The first case of each project and family. Of other large networks, only names and shapes are
compared, unless ``--every-network`` is given."""


# MindCV names the ends of its stages by block index or by stage.
MINDCV_LEVELS = {
    'rexnet': ('features_0', 'features_2', 'features_4', 'features_10', 'features_15'),
    'regnet': (None, 'stages_0', 'stages_1', 'stages_2', 'stages_3'),
    'resnext': (None, 'layer1', 'layer2', 'layer3', 'layer4'),
}

cases = pytest.mark.parametrize('case', CASES)


def test_every_reference_is_covered():
    # The U-Net is not a classifier; its case is in its own tests.
    assert set(SAMPLES) - {'zshn25_rexunet'} == set(CASES)


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize('case', SAMPLES)
def test_the_samples_are_those_of_the_whole_outputs(case):
    meta, samples = golden_meta(case), SAMPLES[case]
    assert (samples['input'], samples['gamma']) == (meta['input'], meta['gamma'])
    assert samples['keys'] == digest(meta['keys'])
    outputs = golden_outputs(case)
    assert samples['outputs'] == {name: sampled(output) for name, output in outputs.items()}
    rule = golden_rule()
    for name, shape in meta['keys']:
        # The rule for a large tensor is the same as for a small one of its kind.
        if math.prod(shape) < 3000:
            value = torch.from_numpy(rule.fill(name, tuple(shape), meta['gamma']))
            assert torch.equal(filled(name, shape, meta['gamma']), value), name
    image = torch.from_numpy(rule.image(meta['input'], seed=1))
    assert torch.equal(picture(meta['input'], seed=1), image)


def test_no_reference_was_left_out_of_the_samples():
    assert SHARED is None or set(golden_cases('*')) == set(SAMPLES)


def entries_of(case: str) -> tuple[Entry, ...]:
    return SCHEMES[case.split('_')[0]].entries(architecture(CASES[case]))


def weights_of(case: str) -> dict[str, torch.Tensor]:
    """Return the reference's weights, with the names that we expect of it."""
    gamma = SAMPLES[case]['gamma']
    return {entry.theirs: filled(entry.theirs, entry.shape, gamma) for entry in entries_of(case)}


@cases
def test_names_and_shapes_are_theirs_in_their_order(case):
    entries = entries_of(case)
    assert digest((entry.theirs, entry.shape) for entry in entries) == SAMPLES[case]['keys']


def pytest_generate_tests(metafunc):
    """Parametrise by networks of moderate size and the first of each family, or by all."""
    if 'computed' in metafunc.fixturenames:
        every = metafunc.config.getoption('--every-network')
        cases = [
            pytest.param(case, marks=pytest.mark.slow) if name in LARGE else case
            for case, name in CASES.items()
            if every or name not in LARGE or case in FIRST.values()
        ]
        metafunc.parametrize('computed', cases)


def test_every_level_and_the_logits_are_theirs(computed, tmp_path):
    case = computed
    state, samples = weights_of(case), SAMPLES[case]
    name = identify(state)
    assert name == CASES[case]
    outputs = {}

    suffix = '.ckpt' if case.startswith('mindcv_') else '.safetensors'
    path = write_checkpoint(tmp_path / f'weights{suffix}', state)
    classifier = rexdense.create_classifier(name).eval()
    report = rexdense.load_weights(classifier, path)
    assert (len(report.loaded), report.dropped) == (len(state), [])
    with torch.no_grad():
        outputs['logits'] = classifier(picture(samples['input']))
        if 'logits97' in samples['outputs']:
            outputs['logits97'] = classifier(picture((1, 3, 97, 97), seed=1))

    backbone = rexdense.create_backbone(name, out_indices=range(5)).eval()
    report = rexdense.load_weights(backbone, state)
    assert len(report.loaded) + len(report.dropped) == len(state)
    names = [f'stage{index}' for index in range(5)]
    if case.startswith('mindcv_'):
        names = MINDCV_LEVELS[backbone.architecture.family]
    with torch.no_grad():
        levels = backbone(picture(samples['input']))
    for level, info, key in zip(levels, feature_levels(name), names, strict=True):
        assert level.shape[1] == info.channels
        if key in samples['outputs']:
            outputs[key] = level
    assert len(outputs) >= 5

    for key, output in outputs.items():
        assert_samples(output, samples['outputs'][key], key)
    if SHARED is not None:
        references = golden_outputs(case)
        for key, output in outputs.items():
            whole = references[key]
            assert output.shape == whole.shape
            error = np.abs(output.numpy() - whole).max() / np.abs(whole).max()
            assert error < TOLERANCE, f'{key} is off by {error:.1e}'
