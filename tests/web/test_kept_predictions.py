"""Predictions that are packed and come back as they were."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmseg.structures import SegDataSample

from rexdense.inference import Detections, LabelMap
from rexdense.web.kept_predictions import KeptPrediction

HEIGHT, WIDTH = 300, 400


def _of_detector(objects):
    masks = torch.zeros(objects, HEIGHT, WIDTH, dtype=torch.bool)
    for place in range(objects):
        masks[place, place : place + 90, 20:120] = True
    sample = DetDataSample(metainfo=dict(ori_shape=(HEIGHT, WIDTH), img_path='a.png'))
    sample.pred_instances = InstanceData(
        bboxes=torch.arange(4.0 * objects).reshape(-1, 4),
        scores=torch.linspace(1, 0, objects),
        labels=torch.arange(objects) % 3,
        masks=masks,
    )
    return Detections(None, sample, Path('a.png'), None, None)


def _of_segmentor(**more):
    sample = SegDataSample(metainfo=dict(ori_shape=(HEIGHT, WIDTH)))
    labels = torch.arange(HEIGHT)[:, None] // 40 + torch.arange(WIDTH)[None] // 50
    sample.pred_sem_seg = PixelData(data=labels[None])
    return LabelMap(None, sample, Path('a.png'), None, None, **more)


def _tensors(element, place=''):
    found = {}
    for key, value in element.items():
        here = f'{place}/{key}'
        found |= _tensors(value, here) if isinstance(value, BaseDataElement) else {here: value}
    return found


def _require_same(one, other):
    assert type(one) is type(other) and one.path == other.path
    assert type(one.sample) is type(other.sample)
    assert dict(one.sample.metainfo_items()) == dict(other.sample.metainfo_items())
    before, after = _tensors(one.sample), _tensors(other.sample)
    assert before.keys() == after.keys()
    for place, tensor in before.items():
        assert tensor.dtype == after[place].dtype and torch.equal(tensor, after[place])
    assert list(one.scales) == list(other.scales)
    for stride, each in one.scales.items():
        _require_same(each, other.scales[stride])


@pytest.mark.parametrize('objects', [0, 1, 50, 400])
def test_objects_and_masks_come_back(objects):
    given = _of_detector(objects)
    kept = KeptPrediction(given)
    for _ in range(2):
        _require_same(given, kept.prediction())
    assert 'masks' in given.sample.pred_instances
    assert kept.bytes < max(objects * HEIGHT * WIDTH // 50, 1)


def test_label_maps_of_each_scale_come_back():
    given = _of_segmentor(scales={stride: _of_segmentor() for stride in (1, 4)})
    kept = KeptPrediction(given)
    assert kept.strides == [1, 4]
    _require_same(given, kept.prediction())
    assert kept.bytes < 3 * HEIGHT * WIDTH * 8 // 50


def test_returned_predictions_may_be_written_into():
    kept = KeptPrediction(_of_segmentor())
    kept.prediction().sample.pred_sem_seg.data[:] = 7
    assert not np.all(kept.prediction().sample.pred_sem_seg.data.numpy() == 7)
