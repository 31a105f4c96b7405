"""COCO's metrics as a metric of mmengine's evaluator."""

import contextlib
import io
import json
import math
import sys

import pytest

pytest.importorskip('mmdet')

import numpy as np
import torch
from mmdet.evaluation import CocoMetric as StockCocoMetric
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from rexdense.datasets.coco.annotations import read_annotations
from rexdense.errors import DataError, InvalidArgument, MissingDependency, UnwritableFile
from rexdense.evaluation import CocoMetric
from tests.evaluation.evaluator import evaluate
from tests.mmengine_log import mmengine_messages
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import CONTENT, coco_content, write_coco


def samples_of(annotations, classes, masks=False, seed=None):
    """One data sample an image: the annotations as predictions, moved a little if seeded."""
    random = np.random.default_rng(seed)
    samples = []
    for image in annotations.dataset['images']:
        entries = [
            entry
            for entry in annotations.dataset['annotations']
            if entry['image_id'] == image['id']
        ]
        boxes = np.array([entry['bbox'] for entry in entries], np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        if seed is not None:
            boxes += random.normal(0, 4, boxes.shape)
        names = {category_id: name for name, category_id in annotations.category_ids.items()}
        labels = [classes.index(names[entry['category_id']]) for entry in entries]
        predictions = InstanceData(
            bboxes=torch.from_numpy(boxes),
            labels=torch.tensor(labels, dtype=torch.int64),
            scores=torch.from_numpy(random.random(len(entries), np.float32)),
        )
        if masks:
            predictions.masks = torch.from_numpy(
                np.zeros((len(entries), image['height'], image['width']), bool)
            )
            for mask, (left, top, right, bottom) in zip(
                predictions.masks, boxes.round().astype(int), strict=True
            ):
                mask[max(top, 0) : bottom, max(left, 0) : right] = True
        sample = DetDataSample(
            metainfo={'img_id': image['id'], 'ori_shape': (image['height'], image['width'])}
        )
        sample.pred_instances = predictions
        samples.append(sample)
    return samples


def config(path, **options):
    return {'type': 'rexdense.CocoMetric', 'ann_file': str(path), **options}


@pytest.mark.parametrize('classes', [('cat', 'dog'), ('dog', 'cat')])
@pytest.mark.parametrize('reverse', [False, True])
def test_perfect_predictions_in_any_order_of_classes(tmp_path, classes, reverse):
    content = coco_content()
    if reverse:
        content['categories'].reverse()
    path = write_coco(tmp_path, content)
    samples = samples_of(read_annotations(path), classes)
    metrics = evaluate(config(path), classes, samples)
    assert metrics['coco/bbox_mAP'] == pytest.approx(1)
    assert metrics['coco/bbox_AP/cat'] == metrics['coco/bbox_AP/dog'] == pytest.approx(1)
    assert math.isnan(metrics['coco/bbox_mAP_l'])
    assert len(metrics) == 12 + 2


@needs_shared
@pytest.mark.parametrize('metric', ['bbox', ['bbox', 'segm']])
def test_metrics_are_those_of_mmdet(metric):
    path = SHARED / 'data' / 'nuclei' / 'annotations' / 'val.json'
    annotations = read_annotations(path)
    samples = samples_of(annotations, annotations.classes, masks='segm' in metric, seed=0)
    ours = evaluate(config(path, metric=metric), annotations.classes, samples)
    stock = StockCocoMetric(str(path), metric, proposal_nums=(1, 10, 100), classwise=True)
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = evaluate(stock, annotations.classes, samples)
    for kind in ['bbox'] if metric == 'bbox' else metric:
        assert 0 < ours[f'coco/{kind}_mAP'] < 1
        for name in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'):
            value = ours[f'coco/{kind}_{name}']
            expected = theirs[f'coco/{kind}_{name}']
            assert (-1 if math.isnan(value) else round(value, 3)) == pytest.approx(expected)
        assert ours[f'coco/{kind}_AP/nucleus'] == ours[f'coco/{kind}_mAP']


def test_predictions_are_written_with_the_ids_of_the_file(tmp_path, caplog):
    content = coco_content()
    content['categories'] = [{'id': 70, 'name': 'dog'}, {'id': 5, 'name': 'cat'}]
    for entry in content['annotations']:
        entry['category_id'] = {1: 5, 2: 70}[entry['category_id']]
    path = write_coco(tmp_path, content)
    annotations = read_annotations(path)
    samples = samples_of(annotations, ('bird', 'cat', 'dog'), masks=True)
    birds = samples[0].pred_instances[:]
    birds.labels = torch.zeros_like(birds.labels)
    samples[2].pred_instances = birds
    outfile = tmp_path / 'results' / 'val.json'
    with mmengine_messages(caplog) as messages:
        metrics = evaluate(
            config(path, outfile=outfile, show_table=False), ('bird', 'cat', 'dog'), samples
        )
    assert messages == [
        f'{path}: 2 predictions left out, because the file has no category of their classes'
    ]
    assert metrics['coco/bbox_mAP'] == pytest.approx(1)
    assert math.isnan(metrics['coco/bbox_AP/bird'])
    written = json.loads(outfile.read_text())
    assert [entry['category_id'] for entry in written] == [5, 70, 5, 70]
    assert [entry['bbox'] for entry in written] == [e['bbox'] for e in content['annotations']]
    assert set(written[0]) == {'image_id', 'category_id', 'bbox', 'score', 'segmentation'}
    assert [file.name for file in outfile.parent.iterdir()] == ['val.json']
    with contextlib.redirect_stdout(io.StringIO()):
        assert len(COCO(str(path)).loadRes(str(outfile)).anns) == 4


def test_writing_is_all_that_is_wanted(tmp_path):
    path = write_coco(tmp_path, {key: CONTENT[key] for key in ('images', 'categories')})
    samples = samples_of(read_annotations(write_coco(tmp_path, split='val')), ('cat', 'dog'))
    outfile = tmp_path / 'results.json'
    metric = config(path, outfile=outfile, format_only=True)
    assert evaluate(metric, ('cat', 'dog'), samples) == {}
    assert len(json.loads(outfile.read_text())) == 4


def test_place_that_cannot_be_written_to(tmp_path):
    path = write_coco(tmp_path)
    samples = samples_of(read_annotations(path), ('cat', 'dog'))
    metric = config(path, outfile=path / 'results.json')
    with pytest.raises(UnwritableFile, match=r'results\.json cannot be written \(Not a direct'):
        evaluate(metric, ('cat', 'dog'), samples)


def test_annotations_are_not_replaced_by_predictions(tmp_path):
    path = write_coco(tmp_path)
    (tmp_path / 'link.json').symlink_to(path)
    for outfile in (path, tmp_path / 'link.json'):
        with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be'):
            CocoMetric(str(path), outfile=outfile)


def test_table_is_logged(tmp_path, caplog):
    path = write_coco(tmp_path)
    samples = samples_of(read_annotations(path), ('cat', 'dog'))
    with mmengine_messages(caplog) as messages:
        evaluate(config(path), ('cat', 'dog'), samples)
    first, second, *rest = messages[0].splitlines()
    assert len(messages) == 1
    assert first == f'boxes of {path}'
    assert second.split()[:3] == ['class', 'annotations', 'AP']
    assert [line.split()[:3] for line in rest[:3]] == [
        ['cat', '2', '1.000'],
        ['dog', '2', '1.000'],
        ['all', '4', '1.000'],
    ]


def test_no_predictions(tmp_path):
    path = write_coco(tmp_path)
    samples = samples_of(read_annotations(path), ('cat', 'dog'))
    for sample in samples:
        sample.pred_instances = sample.pred_instances[:0]
    assert evaluate(config(path), ('cat', 'dog'), samples)['coco/bbox_mAP'] == 0


def test_boxes_that_training_leaves_out_are_left_out_here(tmp_path):
    content = coco_content()
    content['annotations'].append({'id': 9, 'image_id': 3, 'category_id': 1, 'bbox': [3, 3, 0, 5]})
    path = write_coco(tmp_path, content)
    samples = samples_of(read_annotations(path), ('cat', 'dog'))
    assert evaluate(config(path), ('cat', 'dog'), samples)['coco/bbox_AR@100'] == pytest.approx(1)


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({'metric': 'proposal'}, "metric='proposal': give 'bbox', 'segm' or both"),
        ({'backend': 'faster-coco-eval'}, "'faster-coco-eval' is not known; did you mean 'faster'"),
        ({'max_detections': [100]}, r'max_detections=\[100\]: give three different'),
        ({'max_detections': 300}, 'max_detections=300: give three different whole numbers'),
        ({'max_detections': (100, 100, 100)}, 'give three different whole numbers'),
        ({'max_detections': (0, 10, 100)}, 'whole numbers above 0'),
        ({'max_detections': (1, 10.5, 100)}, 'whole numbers above 0'),
        ({'max_detections': (True, 10, 100)}, 'whole numbers above 0'),
        ({'max_detections': '123'}, "max_detections='123': give three"),
        ({'max_detections': None}, 'max_detections=None: give three'),
        ({'format_only': True}, 'format_only=True writes nothing without outfile; give one'),
    ],
)
def test_arguments_out_of_range(options, expected):
    with pytest.raises(InvalidArgument, match=expected):
        CocoMetric('val.json', **options)


@pytest.mark.parametrize(
    ('name', 'classes', 'expected'),
    [
        ('train.json', ('cats', 'dogs'), "has no class 'cats', 'dogs', which was asked for;"),
        ('val.json', ('cat', 'dog'), 'val.json is not there; its folder has train.json;'),
    ],
)
def test_annotations_are_checked_before_the_evaluation(tmp_path, name, classes, expected):
    metric = CocoMetric(str(write_coco(tmp_path).with_name(name)))
    with pytest.raises(DataError) as caught:
        metric.dataset_meta = {'classes': classes}
    assert expected in str(caught.value)


def test_dataset_without_classes(tmp_path):
    metric = CocoMetric(str(write_coco(tmp_path)))
    with pytest.raises(DataError, match=r'names no classes; use rexdense.CocoDataset'):
        metric.dataset_meta = {}


@pytest.mark.parametrize('maxima', [(100, 10, 1), (10, 1, 100), [1, 10, 100]])
def test_the_order_of_max_detections_does_not_matter(tmp_path, maxima):
    path = write_coco(tmp_path, coco_content())
    annotations = read_annotations(path)
    samples = samples_of(annotations, annotations.classes, seed=0)
    expected = evaluate(config(path), annotations.classes, samples)
    found = evaluate(config(path, max_detections=maxima), annotations.classes, samples)
    np.testing.assert_equal(found, expected)


def test_nothing_evaluated(tmp_path):
    path = write_coco(tmp_path, coco_content())
    metrics = evaluate(config(path), read_annotations(path).classes, [])
    assert metrics and all(math.isnan(value) for value in metrics.values())


def test_the_data_science_bowl_and_errors_beside_the_metrics(tmp_path):
    content = coco_content()
    for entry in content['annotations']:
        left, top, width, height = entry['bbox']
        right, bottom = left + width, top + height
        entry['segmentation'] = [[left, top, right, top, right, bottom, left, bottom]]
    path = write_coco(tmp_path, content)
    samples = samples_of(read_annotations(path), ('cat', 'dog'), masks=True)
    for sample in samples:
        sample.pred_instances.scores = torch.full_like(sample.pred_instances.scores, 0.7)
    options = dict(metric=['bbox', 'segm'], analysis=0.3, data_science_bowl=0.5)
    metric = CocoMetric(str(path), **options)
    metrics = evaluate(metric, ('cat', 'dog'), samples)
    # On the second image the dog lies upon the cat, whose pixels go to one of them.
    assert 0.5 < metrics['coco/segm_data_science_bowl'] <= 1
    assert 'coco/bbox_data_science_bowl' not in metrics
    assert set(metric.errors) == set(metric.evaluations) == {'bbox', 'segm'}
    assert not any(metric.errors['bbox'].counts.values())
    assert metric.evaluations['bbox'].precision.shape == (10, 101, 2)
    assert metric.evaluations['bbox'].precision.min() == pytest.approx(1)
    strict = evaluate(
        config(path, **options | dict(data_science_bowl=0.8)), ('cat', 'dog'), samples
    )
    assert strict['coco/segm_data_science_bowl'] == 0
    plain = CocoMetric(str(path))
    evaluate(plain, ('cat', 'dog'), samples)
    assert not plain.errors


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(analysis=1.5), 'analysis=1.5: give a score from 0 to 1, or None'),
        (dict(analysis=True), 'analysis=True: give a score from 0 to 1, or None'),
        (dict(metric='segm', data_science_bowl='x'), "data_science_bowl='x': give a score from 0"),
        (
            dict(data_science_bowl=0.5),
            "data_science_bowl=0.5 is of masks: add segm to metric='bbox'",
        ),
    ],
)
def test_scores_that_are_none(tmp_path, options, expected):
    with pytest.raises(InvalidArgument) as caught:
        CocoMetric(str(write_coco(tmp_path)), **options)
    assert str(caught.value).startswith(expected)


def test_a_backend_that_is_missing_is_told_before_the_first_image(tmp_path, monkeypatch):
    for name in [*sys.modules, 'faster_coco_eval']:
        if name.split('.')[0] == 'faster_coco_eval':
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency, match='pip install faster-coco-eval'):
        CocoMetric(str(write_coco(tmp_path)), backend='faster')
