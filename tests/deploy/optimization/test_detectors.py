"""Optimised models of mmdet and mmseg: the same predictions, despite operators that read memory as
NCHW."""

import copy
import pickle

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch
from torch import nn

from rexdense.deploy import optimize
from rexdense.deploy.detection import detector_graph
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.optimization import optimizer
from rexdense.deploy.relative_error import relative_error
from rexdense.device import memory_layout
from tests.deploy.small_detectors import detector, small_settings
from tests.deploy.test_segmentors import FPN, UNET, UNET_LEVELS, WIDTHS, segmentor
from tests.models.networks import image
from tests.tiny_run import CONFIG, MASK_CONFIG

pytestmark = pytest.mark.usefixtures('fresh_mmengine')
BATCH_NORM = dict(type='BN')


def found(model, images):
    with torch.no_grad():
        return detector_graph(model).reference(images)


@pytest.mark.parametrize('config', [CONFIG, MASK_CONFIG], ids=['Faster R-CNN', 'Mask R-CNN'])
def test_detectors_find_the_same(config):
    settings = small_settings(config)
    settings.neck.norm_cfg = BATCH_NORM
    model = detector(settings)
    fast = optimize(model)
    assert not [part for part in fast.modules() if isinstance(part, nn.BatchNorm2d)]
    for images in (image(2, 3, 97, 131), image(1, 3, 128, 96, seed=1)):
        expected = found(model, images)
        assert (expected['labels'] >= 0).sum() > 5
        errors = detection_errors(found(fast, images), expected)
        assert max(errors.values()) < 1e-4, errors
    images = image(1, 3, 64, 96)
    with torch.no_grad():
        again = pickle.loads(pickle.dumps(fast)).extract_feat(images)
        for one, two in zip(again, model.extract_feat(images), strict=True):
            assert relative_error(one, two) < 1e-4


def test_regions_would_be_wrong_without_the_order_of_axes(monkeypatch):
    """Check that the hook is needed, and that the comparison notices."""
    monkeypatch.setattr(memory_layout, '_READS_NCHW', 'nothing')
    model = detector(small_settings(CONFIG))
    images = image(1, 3, 97, 131)
    errors = detection_errors(found(optimize(model), images), found(model, images))
    assert max(errors.values()) > 0.01


def test_bfloat16_is_of_backbone_and_neck(monkeypatch):
    monkeypatch.setattr(optimizer, 'require_bfloat16', lambda device: None)
    model = detector(small_settings(CONFIG))
    fast, images = optimize(model, 'bf16'), image(1, 3, 64, 96)
    with torch.no_grad():
        maps = fast.extract_feat(images)
        for one, two in zip(maps, model.extract_feat(images), strict=True):
            assert one.dtype == torch.float32 and relative_error(one, two) < 0.1
        assert fast.backbone(images)[0].dtype == torch.bfloat16
        found(fast, images)
    assert {parameter.dtype for parameter in fast.roi_head.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ('head', 'out_indices', 'neck'),
    [
        (UNET, UNET_LEVELS, None),
        (FPN, (1, 2, 3, 4),
         dict(type='mmseg.FPN', in_channels=WIDTHS, out_channels=8, num_outs=4,
              norm_cfg=BATCH_NORM)),
    ],
    ids=['U-Net', 'semantic FPN'],
)  # fmt: skip
def test_segmentors_say_the_same(head, out_indices, neck):
    model = segmentor(copy.deepcopy(head), out_indices, neck)
    fast, images = optimize(model), image(2, 3, 65, 97)
    assert not [part for part in fast.modules() if isinstance(part, nn.BatchNorm2d)]
    metas = [dict(img_shape=(65, 97), pad_shape=(65, 97), ori_shape=(65, 97))] * 2
    with torch.no_grad():
        error = relative_error(
            fast.encode_decode(images, metas), model.encode_decode(images, metas)
        )
    assert error < 1e-4
