"""Backbones inside mmdet, mmseg and mmpretrain, built by only the type name."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

from rexdense.arch import channels
from rexdense.engine.config.load import load_config

MODEL = Path(__file__).parents[2] / 'configs/_base_/models/faster-rcnn_fpn_small.py'
BACKBONES = [
    ('rexdense.ReXNet', 'rexnet_1.0'),
    ('rexdense.ReXNetLite', 'rexnet_lite_1.0'),
    ('rexdense.RegNet', 'regnety_200mf'),
    ('rexdense.ResNeXt', 'resnext50_32x4d'),
]


def test_a_process_that_imported_mmengine_only_builds_it():
    program = (
        'from mmengine.registry import MODELS\n'
        "backbone = MODELS.build(dict(type='rexdense.ReXNet', arch='rexnet_1.0'))\n"
        'print(backbone.out_levels[0].channels)'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stdout.split() == ['38'], done.stderr


@pytest.mark.parametrize(('kind', 'arch'), BACKBONES)
def test_faster_rcnn_of_mmdet(kind, arch):
    config = load_config(MODEL)
    config.model.backbone = dict(type=kind, arch=arch)
    config.model.neck.in_channels = channels(arch)
    config.model.roi_head.bbox_head.num_classes = 3
    init_default_scope('mmdet')
    detector = MODELS.build(config.model)
    maps = detector.extract_feat(torch.randn(1, 3, 64, 96))
    assert [tuple(level.shape) for level in maps] == [
        (1, 64, 16, 24),
        (1, 64, 8, 12),
        (1, 64, 4, 6),
        (1, 64, 2, 3),
        (1, 64, 1, 2),
    ]
    sum(level.sum() for level in maps).backward()
    assert all(parameter.grad is not None for parameter in detector.backbone.parameters())


@pytest.mark.parametrize(('kind', 'arch'), BACKBONES)
def test_fcn_of_mmseg(kind, arch):
    pytest.importorskip('mmseg')
    init_default_scope('mmseg')
    segmentor = MODELS.build(
        dict(
            type='mmseg.EncoderDecoder',
            backbone=dict(type=kind, arch=arch, output_stride=8),
            decode_head=dict(
                type='mmseg.FCNHead',
                in_channels=channels(arch)[-1],
                in_index=3,
                channels=16,
                num_convs=1,
                num_classes=5,
                norm_cfg=dict(type='BN'),
            ),
            test_cfg=dict(mode='whole'),
        )
    ).eval()
    with torch.no_grad():
        logits = segmentor(torch.randn(1, 3, 64, 96), mode='tensor')
    assert tuple(logits.shape) == (1, 5, 8, 12)


@pytest.mark.parametrize(('kind', 'arch'), BACKBONES)
def test_image_classifier_of_mmpretrain(kind, arch):
    pytest.importorskip('mmpretrain', reason='mmpretrain is not installed: it needs torchvision')
    init_default_scope('mmpretrain')
    classifier = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(type=kind, arch=arch, out_indices=(4,)),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(
                type='mmpretrain.LinearClsHead', num_classes=7, in_channels=channels(arch)[-1]
            ),
        )
    ).eval()
    with torch.no_grad():
        logits = classifier(torch.randn(2, 3, 64, 64), mode='tensor')
    assert len(logits) == 2
