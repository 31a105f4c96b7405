"""The COCO configs of detectors: each follows its row, builds, and has the published size."""

import contextlib
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.registry import init_default_scope

from rexdense.arch import channels
from rexdense.engine.config.load import load_config
from rexdense.engine.scope import import_scope
from rexdense.registry import MODELS
from rexdense.zoo import load_measured_detectors, load_published
from rexdense.zoo.coco_configs import BASELINES, DETECTORS, coco_configs, write_coco_configs
from rexdense.zoo.detectors import IMAGES, count_parts
from rexdense.zoo.weights import find_pretrained

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
pytestmark = pytest.mark.usefixtures('fresh_mmengine')


def built(config):
    """Return the detector of a config on the meta device."""
    import_scope(config)
    init_default_scope('mmdet')
    # mmdet's EfficientNet computes with tensor values during construction.
    computes = config.model.backbone.type == 'EfficientNet'
    with contextlib.nullcontext() if computes else torch.device('meta'):
        return MODELS.build(config.model).to('meta')


def require_measured(name, method, model):
    """Check a detector's size against measured.json; its parts are counted once."""
    measured = load_measured_detectors()[name]
    parameters = sum(value.numel() for value in model.parameters())
    assert parameters == measured.parameters[method]
    assert type(model).__name__ == dict(faster='FasterRCNN', mask='MaskRCNN')[method]
    assert model.with_mask == (method == 'mask')
    if method == 'mask':
        masks = sum(value.numel() for value in model.roi_head.mask_head.parameters())
        assert parameters - masks == measured.parameters['faster']
        for image, size in IMAGES.items():
            assert count_parts(model, size) == measured.macs[image]


def test_the_files_are_those_of_the_rows(tmp_path):
    written = {str(path.relative_to(tmp_path)) for path in write_coco_configs(tmp_path)}
    there = {str(path.relative_to(CONFIGS)) for path in CONFIGS.glob('*/*_fpn_1x_coco.py')}
    assert written == there == set(coco_configs())
    for path in written:
        kept, expected = (CONFIGS / path).read_text(), (tmp_path / path).read_text()
        assert kept == expected, f'{path}: rexdense zoo --configs writes it anew'


# Configs with and without masks come from the same row, so one per family is built without masks.
FIRST = {detector.folder: detector for detector in reversed(DETECTORS)}.values()
BUILT = [*((detector, 'mask') for detector in DETECTORS), *((first, 'faster') for first in FIRST)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ('detector', 'method'), BUILT, ids=[f'{detector.arch}-{method}' for detector, method in BUILT]
)
def test_every_detector_is_built_as_mmdet_has_it(detector, method):
    config = load_config(CONFIGS / detector.config(method))
    model = built(config)
    require_measured(detector.name, method, model)
    backbone, images = config.model.backbone, config.model.data_preprocessor
    assert config.model.neck.in_channels == channels(detector.arch)
    if detector.weights is None:
        assert 'init_cfg' not in backbone and not backbone.get('norm_eval')
    else:
        row = find_pretrained(detector.arch, detector.weights)
        assert backbone.init_cfg.checkpoint == row.name
        assert images.bgr_to_rgb == (row.channel_order == 'RGB')
        assert (images.mean[0] < images.mean[2]) == (row.channel_order == 'BGR')
        assert backbone.frozen_stages == 1 and backbone.norm_eval
    assert model.roi_head.bbox_head.num_classes == 80
    decay = 5e-5 if detector.arch.startswith('regnet') else 1e-4
    assert config.optim_wrapper.optimizer.weight_decay == decay
    assert config.train_cfg.max_epochs == 12
    masks = method == 'mask'
    for loader in (config.train_dataloader, config.val_dataloader):
        (loading,) = (step for step in loader.dataset.pipeline if step.type == 'LoadAnnotations')
        assert loading.get('with_mask', False) == masks
    metric = config.val_evaluator.metric
    assert metric == (['bbox', 'segm'] if masks else 'bbox')


@pytest.mark.slow
@pytest.mark.parametrize('method', ['faster', 'mask'])
@pytest.mark.parametrize('baseline', BASELINES, ids=lambda baseline: baseline.name)
def test_every_baseline_is_built_as_mmdet_has_it_and_trained_as_the_others(baseline, method):
    config = load_config(CONFIGS / baseline.config(method))
    other = load_config(CONFIGS / DETECTORS[0].config(method))
    for section in ('train_cfg', 'optim_wrapper', 'param_scheduler', 'train_dataloader'):
        assert config[section] == other[section]
    model = built(config)
    require_measured(baseline.name, method, model)
    with torch.no_grad():
        levels = model.backbone(torch.empty(1, 3, 64, 96, device='meta'))
    assert [level.shape[1] for level in levels] == config.model.neck.in_channels
    assert [level.shape[2] for level in levels] == [16, 8, 4, 2]
    model.train()  # mmdet's EfficientNet freezes its layers in train()
    frozen = [name for name, value in model.backbone.named_parameters() if not value.requires_grad]
    assert frozen and all(
        name.startswith(('conv1', 'bn1', 'layer1', 'layers.0', 'layers.1', 'layers.2'))
        for name in frozen
    )
    assert config.model.backbone.init_cfg.checkpoint.startswith('https://download.')


def test_measured_are_the_detectors_that_have_configs():
    names = [detector.name for detector in (*DETECTORS, *BASELINES)]
    assert list(load_measured_detectors()) == names


@pytest.mark.parametrize(
    'row',
    [
        row
        for row in load_published()
        if row.name and row.table in ('clovaai-faster-rcnn', 'clovaai-mask-rcnn')
    ],
    ids=lambda row: f'{row.table}-{row.name}',
)
def test_sizes_are_those_that_the_authors_print(row):
    method = row.table.split('-')[1]
    measured = load_measured_detectors()[row.name]
    # The publisher's detector differs slightly from mmdet's, by up to 0.065M parameters.
    found = measured.parameters[method]
    assert abs(found - row.numbers['detector_parameters'].value) <= 0.065e6
    # The MACs are those of Faster R-CNN at mmdet's size, with a few other layers.
    printed = float(row.numbers['detector_macs'].value)
    assert 0 < printed - measured.macs_of('faster', '1280x800') <= 0.2e9
    assert 0.93 < measured.macs_of('faster', '1200x800') / printed < 0.95
