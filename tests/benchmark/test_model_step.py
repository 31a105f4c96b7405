"""Training steps of whole models: drawn ground truth, and the same step in each form."""

import copy
import json

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from rexdense.benchmark.workloads.detector import build_model
from rexdense.benchmark.workloads.drawn_batch import OBJECTS, drawn_batch
from rexdense.benchmark.workloads.model_step import prepare
from rexdense.engine.config.load import load_config
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument
from tests.tiny_run import FEW_REGIONS, NARROW_MASKS

pytestmark = pytest.mark.usefixtures('fresh_mmengine')
CONFIGS = {
    'boxes': ('rexnet/faster-rcnn_rexnet-1.0_fpn_bccd', FEW_REGIONS),
    'masks': (
        'rexnet/mask-rcnn_rexnet-1.0_fpn_nuclei',
        [*FEW_REGIONS, *NARROW_MASKS],
    ),
    'labels': ('unet/unet_rexnet-1.0_camvid', []),
}


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """Paths of configs with small models."""
    folder = tmp_path_factory.mktemp('configs')
    for kind, (name, settings) in CONFIGS.items():
        config = load_config(name)
        config.merge_from_dict(dict(_pair(setting) for setting in settings))
        (folder / f'small-{kind}.py').write_text(config.pretty_text)
    return {kind: folder / f'small-{kind}.py' for kind in CONFIGS}


def _pair(setting):
    key, _, value = setting.partition('=')
    return key, json.loads(value)


def task(path, **more):
    common = dict(name=str(path), shape=(2, 3, 64, 64), device='cpu', framework='rexdense')
    return common | more


def test_objects_lie_in_their_boxes():
    config = load_config(CONFIGS['masks'][0])
    batch = drawn_batch(config, (2, 3, 64, 96))
    assert [tuple(image.shape) for image in batch['inputs']] == [(3, 64, 96)] * 2
    assert not torch.equal(*batch['inputs'])
    for sample in batch['data_samples']:
        truth = sample.gt_instances
        assert len(truth) == OBJECTS and set(truth.labels.tolist()) == {0}
        for mask, box in zip(truth.masks.masks, truth.bboxes.tensor.tolist(), strict=True):
            rows, columns = np.nonzero(mask)
            assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    again = drawn_batch(config, (2, 3, 64, 96))
    for first, second in zip(batch['data_samples'], again['data_samples'], strict=True):
        assert torch.equal(first.gt_instances.bboxes.tensor, second.gt_instances.bboxes.tensor)


def test_as_many_objects_as_asked_for(small):
    (sample,) = drawn_batch(load_config(CONFIGS['masks'][0]), (1, 3, 64, 64), 7)['data_samples']
    assert len(sample.gt_instances) == len(sample.gt_instances.masks) == 7
    step = prepare(task(small['masks'], shape=(1, 3, 64, 64), objects=3))
    assert len(step._batch['data_samples'][0].gt_instances) == 3


def test_boxes_alone_and_labels_of_every_class():
    (sample,) = drawn_batch(load_config(CONFIGS['boxes'][0]), (1, 3, 64, 64))['data_samples']
    assert set(sample.gt_instances.labels.tolist()) == {0, 1, 2}
    assert 'masks' not in sample.gt_instances
    (sample,) = drawn_batch(load_config(CONFIGS['labels'][0]), (1, 3, 64, 64))['data_samples']
    labels = sample.gt_sem_seg.data
    assert labels.shape == (1, 64, 64) and len(labels.unique()) > 5 and labels.max() < 11


@pytest.mark.parametrize('kind', CONFIGS)
def test_a_step_as_trained_is_that_of_mmengine(kind, small):
    states = []
    for as_trained in (False, True):
        torch.manual_seed(0)
        step = prepare(task(small[kind], as_trained=as_trained))
        assert step.facts['kept'] > 1e6
        before = copy.deepcopy(step._model.state_dict())
        torch.manual_seed(1)  # samplers draw random numbers
        step._step()
        after = step._model.state_dict()
        conv = 'backbone.stem.conv.weight'
        assert not torch.equal(before[conv], after[conv])
        # After the first step, averages are copies.
        averaged = step._averages[0].ema_model.module.state_dict()
        assert torch.equal(averaged[conv], after[conv])
        layout = after[conv].stride()
        assert (layout[1] == 1) == as_trained
        states.append(after)
    torch.testing.assert_close(*states, rtol=1e-3, atol=1e-5)


def changed(changes, name='faster-rcnn_regnetx-400mf_fpn_1x_coco'):
    config = load_config(name)
    import_scope(config)
    config.model.backbone.update(changes)
    return config


@pytest.mark.parametrize(
    'changes',
    [{}, dict(frozen_stages=-1, norm_eval=False), dict(frozen_stages=2, norm_eval=False)],
)
def test_what_is_frozen_is_that_for_mmdet_too(changes):
    """Compare the shapes of trained parameters, and the number of norms that take statistics."""
    seen = []
    for framework in ('rexdense', 'mmdet'):
        backbone = build_model(changed(changes), framework, training=True).train().backbone
        trained = sorted(tuple(each.shape) for each in backbone.parameters() if each.requires_grad)
        norms = [each for each in backbone.modules() if isinstance(each, torch.nn.BatchNorm2d)]
        seen.append((trained, sum(each.training for each in norms)))
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ('framework', 'changes', 'name'),
    [
        ('timm', {}, 'frozen_stages'),
        ('timm', dict(frozen_stages=-1), 'norm_eval'),
        ('mmdet', dict(output_stride=16), 'output_stride'),
        ('mmdet', dict(depth_mult=0.5), 'depth_mult'),
        ('mmdet', dict(with_cp=True), 'with_cp'),
        ('mmdet', dict(out_indices=(0, 1, 2, 3)), 'c1'),
        ('timm', dict(frozen_stages=-1, norm_eval=False, norm_cfg=dict(type='GN')), 'norm_cfg'),
    ],
)
def test_others_that_would_do_other_work(framework, changes, name):
    with pytest.raises(InvalidArgument, match=f'{name}.*--against {framework}'):
        build_model(changed(changes), framework, training=True)


def test_passes_of_inference_are_the_same_whatever_is_frozen():
    build_model(changed({}), 'mmdet')
    with pytest.raises(InvalidArgument, match='output_stride=16'):
        build_model(changed(dict(output_stride=16)), 'mmdet')
