"""Drawings, files and summaries of predictions, by kind of model."""

import io

import pytest

pytest.importorskip('mmseg')

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement, PixelData
from mmseg.structures import SegDataSample

from rexdense.tasks import Classification, Depth, Detection, Example, Segmentation, task_of
from rexdense.visualization.depth import colour_depth

CLASSES = ('a', 'b')
PALETTE = ((10, 20, 30), (200, 100, 0))
IMAGE = np.full((60, 80, 3), 128, np.uint8)


def sample_of(**maps):
    sample = SegDataSample()
    for name, values in maps.items():
        sample.set_data({name: PixelData(data=torch.as_tensor(values)[None])})
    return sample


def half_and_half(left, right):
    values = np.full((60, 80), left)
    values[:, 40:] = right
    return values


@pytest.mark.parametrize(
    ('model', 'expected'),
    [
        (dict(type='mmdet.FasterRCNN', roi_head={}), Detection),
        (dict(type='RetinaNet', bbox_head={}), Detection),
        (dict(type='mmseg.EncoderDecoder', decode_head={}), Segmentation),
        (dict(type='DepthEstimator', decode_head={}), Depth),
        (dict(type='rexdense.ImageClassifier', backbone={}), Classification),
        (dict(type='mmpretrain.SimSiam', head={}), type(None)),
    ],
)
def test_task_of_a_model(model, expected):
    assert type(task_of(model, {})) is expected


def test_truth_stands_beside_the_predicted_classes():
    task = Segmentation(dict(classes=CLASSES, palette=PALETTE))
    predicted = half_and_half(0, 1)
    alone = task.draw(IMAGE, sample_of(pred_sem_seg=predicted))
    both = task.draw(IMAGE, sample_of(pred_sem_seg=predicted, gt_sem_seg=half_and_half(255, 1)))
    # Enlarged by 3, so that its longer side has 240 pixels. The legend is below.
    assert alone.shape[1] == 240 and both.shape[1] == 2 * (240 + 8)
    mixed = np.rint(128 * 0.45 + np.array(PALETTE[1]) * 0.55)
    assert np.abs(alone[100, 200] - mixed).max() <= 1
    assert np.abs(both[100, 200] - mixed).max() <= 1 and np.ptp(both[30:200, 20:100]) > 20
    labels = sample_of(pred_sem_seg=predicted.astype(float))
    assert task.describe(labels) == ('2 classes', dict(shares=dict(a=0.5, b=0.5)))
    assert task.header() == dict(classes=['a', 'b'])


def test_classes_without_a_palette_get_colours():
    task = Segmentation(dict(classes=CLASSES, palette=None))
    assert len(set(task.colours)) == 2


def classified_as(label, scores, **truth):
    sample = BaseDataElement(scores=torch.tensor(scores), pred_label=label)
    sample.set_data(truth)
    return sample


def test_the_likeliest_classes_in_words():
    task = Classification(dict(classes=tuple('abcdefg')))
    said, described = task.describe(classified_as(6, [0.05, 0.1, 0.2, 0.05, 0.15, 0.05, 0.4]))
    assert said == 'g 0.40' and described['label'] == 'g'
    assert [entry['label'] for entry in described['scores']] == ['g', 'c', 'e', 'b', 'a']
    assert described['scores'][1] == dict(label='c', score=0.2)


def test_a_sheet_of_classes_frames_what_is_right_and_what_is_wrong():
    task = Classification(dict(classes=CLASSES))
    samples = [classified_as(1, [0.3, 0.7], gt_label=truth) for truth in (1, 0)]
    sheet = task.draw_sheet([Example(IMAGE, sample, {}) for sample in samples])
    frames = [sheet[100, start].tolist() for start in (0, 168)]
    assert frames == [[46, 125, 50], [198, 40, 40]]
    assert sheet[100, 80].tolist() == [128] * 3
    overview = task.draw_overview([Example(IMAGE, samples[0], {})] * 7)
    assert overview.shape[:2] == (2 * (160 + 26 + 8), 6 * 168)
    # A strip is cut, and a dot enlarged.
    strips = [np.zeros(shape, np.uint8) for shape in ((1, 4000, 3), (4000, 1, 3), (1, 1, 3))]
    assert task.draw_overview([Example(strip, samples[0], {}) for strip in strips]).shape[0] == 194


def test_depth_in_words_and_files():
    task = Depth({})
    sample = sample_of(pred_depth_map=half_and_half(1.5, 70.0).astype(np.float32))
    said, described = task.describe(sample)
    assert said == '1.50 to 70.00 m (2400 pixels beyond 65.535 m, the most that 16 bits hold)'
    assert described == dict(nearest=1.5, median=35.75, farthest=70.0)
    content = np.frombuffer(task.encode(sample), np.uint8)
    assert np.unique(cv2.imdecode(content, cv2.IMREAD_UNCHANGED)).tolist() == [1500, 65535]
    task.data_ending = '.npy'
    assert task.describe(sample)[0] == '1.50 to 70.00 m'
    assert np.unique(np.load(io.BytesIO(task.encode(sample)))).tolist() == [1.5, 70]
    nothing = sample_of(pred_depth_map=np.zeros((4, 4), np.float32))
    assert task.describe(nothing)[0] == 'no depth'


def test_depth_is_drawn_on_the_scale_of_the_truth():
    truth = half_and_half(1.0, 3.0)
    sample = sample_of(pred_depth_map=half_and_half(2.0, 9.0), gt_depth_map=truth)
    drawn = Depth({}).draw(IMAGE, sample)
    assert drawn.shape[1] == 3 * (240 + 8)
    places = [(100, 248 + 20), (100, 248 + 200), (100, 496 + 20), (100, 496 + 200)]
    expected = colour_depth(np.array([[1.0, 3.0, 2.0, 9.0]]), 1, 3)[0]
    assert [drawn[place].tolist() for place in places] == expected.tolist()
    sheet = Depth({}).draw_sheet([Example(IMAGE, sample, {})] * 3)
    assert sheet.shape[1] == 3 * (320 + 8) and sheet.shape[0] > 3 * 240
    assert sheet[100, 656 + 300].tolist() == expected[3].tolist()
