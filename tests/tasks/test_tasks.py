"""Drawings, files and summaries of predictions, by kind of model."""

import io
import json

import pytest

pytest.importorskip('mmseg')

import cv2
import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmseg.structures import SegDataSample

from rexdense.datasets.coco.masks import decode_mask
from rexdense.errors import InvalidArgument
from rexdense.tasks import (
    Classification,
    Depth,
    Detection,
    Example,
    Segmentation,
    set_options,
    task_of,
)
from rexdense.visualization.boxes import palette
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


def detected(with_masks):
    """Two objects on an image of 80 x 60; one of them scores too little to be shown."""
    found = InstanceData(
        bboxes=torch.tensor([[10.0, 5.0, 30.0, 25.5], [0.0, 0.0, 8.0, 8.0]]),
        labels=torch.tensor([1, 0]),
        scores=torch.tensor([0.9, 0.1]),
    )
    if with_masks:
        found.masks = torch.zeros(2, 60, 80, dtype=torch.bool)
        found.masks[0, 6:20, 12:28] = True
    return DetDataSample(pred_instances=found, metainfo=dict(ori_shape=(60, 80)))


@pytest.mark.parametrize('with_masks', [False, True])
def test_objects_in_a_coco_file(with_masks):
    task = Detection(dict(classes=CLASSES))
    said, described = task.describe(detected(with_masks))
    assert said == '1 objects'
    content = json.loads(json.dumps(task.document([dict(image='a/b.png', **described)] * 2)))
    assert content['categories'] == [dict(id=1, name='a'), dict(id=2, name='b')]
    first = content['images'][0]
    assert (first['file_name'], first['height'], first['width']) == ('b.png', 60, 80)
    assert first['objects'] == [dict(label='b', score=0.9, box=[10.0, 5.0, 30.0, 25.5])]
    assert (
        [entry['image_id'] for entry in content['annotations']]
        == [1, 2]
        == [entry['id'] for entry in content['annotations']]
    )
    annotation = content['annotations'][1]
    assert annotation['category_id'] == 2 and annotation['bbox'] == [10.0, 5.0, 20.0, 20.5]
    assert annotation['area'] == (14 * 16 if with_masks else 410.0)
    assert ('segmentation' in annotation) == with_masks
    if with_masks:
        mask = decode_mask(annotation['segmentation'], 60, 80)
        assert mask[6:20, 12:28].all() and mask.sum() == 14 * 16


def test_masks_stand_beside_the_annotated_ones():
    task = Detection(dict(classes=CLASSES))
    annotated = dict(bbox=[40, 10, 70, 50], bbox_label=0, mask=[[40, 10, 70, 10, 70, 50, 40, 50]])
    sheets = [
        task.draw_sheet([Example(IMAGE, detected(with_masks), dict(instances=[annotated]))])
        for with_masks in (False, True)
    ]
    # Tiles of 400 x 300, below titles of 26: five times the image.
    truth, predicted = (26 + 5 * 30, 5 * 55), (26 + 5 * 12, 408 + 5 * 20)
    for place, label in ((truth, 0), (predicted, 1)):
        mixed = (128 * 0.55 + np.array(palette(label)) * 0.45).astype(np.uint8)
        assert (
            sheets[0][place].tolist() == [128] * 3 and sheets[1][place].tolist() == mixed.tolist()
        )


def test_crowded_pictures_are_enlarged_and_frames_of_a_video_are_not():
    task = Detection(dict(classes=CLASSES), lowest_score=0)
    image = np.zeros((480, 640, 3), np.uint8)
    sample = detected(False)
    sizes = {False: (480 * 2, 640 * 2), True: (480, 640)}
    for as_frame, size in sizes.items():
        assert task.draw(image, sample, as_frame).shape[:2] == size
    sample.pred_instances.bboxes *= 8
    assert task.draw(image, sample).shape[:2] == (480, 640)


def test_frames_of_a_video_have_the_legend_of_all_classes():
    task = Segmentation(dict(classes=[f'class {number}' for number in range(40)]))
    samples = [sample_of(pred_sem_seg=half_and_half(*pair)) for pair in ((0, 7), (1, 1))]
    assert len({task.draw(IMAGE, sample, as_frame=True).shape for sample in samples}) == 1
    assert task.draw(IMAGE, samples[0]).shape[0] < task.draw(IMAGE, samples[0], True).shape[0]


def test_options_of_another_kind_of_model():
    task = Detection(dict(classes=CLASSES))
    set_options(task, score=0.25, one_per_object=None, depth_format=None)
    assert task.lowest_score == 0.25 and not task.one_per_object
    with pytest.raises(InvalidArgument, match='~depth_format goes with depth estimators'):
        set_options(task, '~{}'.format, depth_format='.npy')


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
