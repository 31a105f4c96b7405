"""COCO's metrics against those of pycocotools itself."""

import contextlib
import io
import json
import math
import sys

import pytest

pytest.importorskip('pycocotools')

import numpy as np
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rexdense.datasets.coco.annotations import read_annotations
from rexdense.errors import DataError, InvalidArgument, MissingDependency
from rexdense.evaluation import evaluate_detections
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import coco_content, write_coco

NAMES = [
    *('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'),
    *('AR@1', 'AR@10', 'AR@100', 'AR_s@100', 'AR_m@100', 'AR_l@100'),
]


def perfect(annotations):
    """The annotations themselves as detections."""
    return [
        {key: entry[key] for key in ('image_id', 'category_id', 'bbox')} | {'score': 0.9}
        for entry in annotations.dataset['annotations']
    ]


def plausible(annotations, seed=0):
    """Annotations with errors of place, class and score, some missed and some invented."""
    random = np.random.default_rng(seed)
    category_ids = list(annotations.category_ids.values())
    detections = []
    for entry in annotations.dataset['annotations']:
        for _ in range(random.integers(0, 3)):
            left, top, width, height = entry['bbox'] * random.normal(1, 0.06, 4)
            detection = {
                'image_id': entry['image_id'],
                'category_id': entry['category_id'],
                'bbox': [left, top, max(width, 1), max(height, 1)],
                'score': round(random.random(), 2),
            }
            if random.random() < 0.1:
                detection['category_id'] = int(random.choice(category_ids))
            if 'segmentation' in entry:
                mask = mask_tools.decode(entry['segmentation'])
                mask = np.roll(mask, random.integers(-2, 3, 2), (0, 1))
                packed = mask_tools.encode(np.asfortranarray(mask))
                detection['segmentation'] = {**packed, 'counts': packed['counts'].decode()}
            detections.append(detection)
    return detections


def pycocotools_metrics(path, detections, iou_type):
    """The 12 metrics as pycocotools' own demo computes them."""
    if iou_type == 'segm':
        detections = [
            {key: value for key, value in detection.items() if key != 'bbox'}
            for detection in detections
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(detections), iou_type)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [math.nan if value == -1 else value for value in evaluation.stats]


@pytest.mark.parametrize('backend', ['pycocotools', 'faster'])
@pytest.mark.parametrize(
    ('data', 'iou_type'),
    [
        pytest.param('bccd', 'bbox', marks=needs_shared),
        pytest.param('nuclei', 'segm', marks=needs_shared),
        ('shapes', 'bbox'),
        ('shapes', 'segm'),
    ],
)
def test_metrics_are_those_of_pycocotools(data, iou_type, backend, shapes):
    if backend == 'faster':
        pytest.importorskip('faster_coco_eval')
    root = shapes if data == 'shapes' else SHARED / 'data' / data
    path = root / 'annotations/val.json'
    annotations = read_annotations(path)
    detections = plausible(annotations)
    evaluation = evaluate_detections(annotations, detections, iou_type, backend)
    expected = pycocotools_metrics(path, detections, iou_type)
    assert list(evaluation.metrics) == NAMES
    assert list(evaluation.metrics.values()) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert 0.1 < evaluation.metrics['mAP'] < 0.9
    per_class = [evaluation.per_class[name]['mAP'] for name in annotations.classes]
    assert np.mean(per_class) == pytest.approx(evaluation.metrics['mAP'], abs=1e-12)


@needs_shared
def test_metrics_by_class_are_those_of_each_class_alone():
    path = SHARED / 'data' / 'bccd' / 'annotations' / 'val.json'
    annotations = read_annotations(path)
    detections = plausible(annotations)
    evaluation = evaluate_detections(annotations, detections)
    for name, category_id in annotations.category_ids.items():
        alone = evaluate_detections(
            read_annotations(path, classes=[name]),
            [entry for entry in detections if entry['category_id'] == category_id],
        )
        expected = {key: alone.metrics[key] for key in evaluation.per_class[name]}
        assert evaluation.per_class[name] == pytest.approx(expected, nan_ok=True)
        assert evaluation.boxes[name] == alone.boxes[name]


@pytest.mark.parametrize('first', [0, 1, 100])
@pytest.mark.parametrize('backend', ['pycocotools', 'faster'])
def test_ids_may_count_from_anywhere(tmp_path, first, backend):
    if backend == 'faster':
        pytest.importorskip('faster_coco_eval')
    content = coco_content()
    for kind in ('images', 'categories', 'annotations'):
        for entry in content[kind]:
            entry['id'] += first - 1
    for entry in content['annotations']:
        entry['image_id'] += first - 1
        entry['category_id'] += first - 1
    annotations = read_annotations(write_coco(tmp_path, content))
    evaluation = evaluate_detections(annotations, perfect(annotations), backend=backend)
    assert evaluation.metrics['mAP'] == pytest.approx(1)
    assert evaluation.per_class['dog']['mAP_75'] == pytest.approx(1)


def test_ids_as_strings(tmp_path):
    content = coco_content()
    for kind in ('images', 'categories'):
        for entry in content[kind]:
            entry['id'] = f'id {entry["id"]}'
    for entry in content['annotations']:
        entry['image_id'] = f'id {entry["image_id"]}'
        entry['category_id'] = f'id {entry["category_id"]}'
    annotations = read_annotations(write_coco(tmp_path, content))
    assert evaluate_detections(annotations, perfect(annotations)).metrics['mAP'] == pytest.approx(1)


@pytest.mark.parametrize('backend', ['pycocotools', 'faster'])
def test_no_detections(tmp_path, backend):
    if backend == 'faster':
        pytest.importorskip('faster_coco_eval')
    annotations = read_annotations(write_coco(tmp_path))
    evaluation = evaluate_detections(annotations, [], backend=backend)
    assert evaluation.metrics['mAP'] == evaluation.metrics['AR@100'] == 0


def test_only_images_that_were_looked_at_count(tmp_path):
    annotations = read_annotations(write_coco(tmp_path))
    detections = [entry for entry in perfect(annotations) if entry['image_id'] == 2]
    everything = evaluate_detections(annotations, detections)
    assert everything.metrics['AR@100'] == pytest.approx(0.5)
    assert everything.boxes == {'cat': 2, 'dog': 2}
    looked_at = evaluate_detections(annotations, detections, image_ids=[2])
    assert looked_at.metrics['mAP'] == pytest.approx(1)
    assert looked_at.boxes == {'cat': 1, 'dog': 1}


def test_number_of_detections_that_count(tmp_path):
    annotations = read_annotations(write_coco(tmp_path))
    detections = perfect(annotations)
    detections += [{**entry, 'bbox': [40, 0, 4, 4], 'score': 0.95} for entry in detections]
    evaluation = evaluate_detections(annotations, detections, max_detections=(1, 2, 3))
    assert [name for name in evaluation.metrics if name.startswith('AR')] == [
        *('AR@1', 'AR@2', 'AR@3', 'AR_s@3', 'AR_m@3', 'AR_l@3')
    ]
    assert evaluation.metrics['AR@1'] == 0
    assert evaluation.metrics['AR@2'] == pytest.approx(1)


def test_table_shows_what_does_not_exist_as_a_dash(tmp_path):
    annotations = read_annotations(
        write_coco(tmp_path), classes=['cat', 'bird', 'dog'], may_lack_classes=True
    )
    detections = [entry for entry in perfect(annotations) if entry['category_id'] == 1]
    evaluation = evaluate_detections(annotations, detections)
    assert math.isnan(evaluation.per_class['bird']['mAP'])
    assert math.isnan(evaluation.metrics['mAP_l'])
    assert evaluation.table() == '\n'.join(
        [
            'class  annotations     AP   AP50   AP75    APs  APm  APl',
            'cat              2  1.000  1.000  1.000  1.000    -    -',
            'bird             0      -      -      -      -    -    -',
            'dog              2  0.000  0.000  0.000  0.000    -    -',
            'all              4  0.500  0.500  0.500  0.500    -    -',
            'AR@1 0.500, AR@10 0.500, AR@100 0.500, AR_s@100 0.500, AR_m@100 -, AR_l@100 -',
        ]
    )


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        ({'image_id': 9}, 'detections are of image 9, which is not in '),
        ({'category_id': 3}, 'detections are of category 3, which is not among the classes '),
    ],
)
def test_detections_of_something_else(tmp_path, change, expected):
    annotations = read_annotations(write_coco(tmp_path))
    with pytest.raises(DataError) as caught:
        evaluate_detections(annotations, [{**perfect(annotations)[0], **change}])
    assert str(caught.value).startswith(expected)
    assert str(annotations.path) in str(caught.value)


def test_images_of_another_file(tmp_path):
    annotations = read_annotations(write_coco(tmp_path))
    with pytest.raises(DataError, match='detections are of image 7, which is not in'):
        evaluate_detections(annotations, [], image_ids=[1, 7])


def test_arguments_out_of_range(tmp_path):
    annotations = read_annotations(write_coco(tmp_path))
    with pytest.raises(InvalidArgument, match="iou_type='box': give 'bbox' or 'segm'"):
        evaluate_detections(annotations, [], 'box')
    with pytest.raises(InvalidArgument, match="'fast' is not known; did you mean 'faster'"):
        evaluate_detections(annotations, [], backend='fast')


def test_backend_that_is_not_installed(tmp_path, monkeypatch):
    annotations = read_annotations(write_coco(tmp_path))
    for name in [*sys.modules, 'faster_coco_eval']:
        if name.split('.')[0] == 'faster_coco_eval':
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependency) as caught:
        evaluate_detections(annotations, [], backend='faster')
    assert str(caught.value) == (
        "backend='faster' needs the package faster-coco-eval, which is not installed: "
        'pip install faster-coco-eval'
    )


def test_detections_in_coco_form_are_json(tmp_path):
    annotations = read_annotations(write_coco(tmp_path))
    detections = json.loads(json.dumps(perfect(annotations)))
    assert evaluate_detections(annotations, detections).metrics['mAP'] == pytest.approx(1)
