"""The breakdown of a detector's errors and its confusion matrix, on cases made by hand."""

import json

import numpy as np
import pytest

pytest.importorskip('pycocotools')

from rexdense.datasets.coco.annotations import read_annotations
from rexdense.evaluation import evaluate_detections
from rexdense.evaluation.coco_comparison import compared_images
from rexdense.evaluation.detection_errors import ERRORS, detection_errors
from tests.evaluation.test_coco_evaluation import plausible
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import coco_content, write_coco

CAT, DOG = [2, 3, 20, 10], [24, 8, 16, 20]
FAR_AWAY = [0, 28, 4, 4]


def found(box, category=1, score=0.9, image=1):
    return dict(image_id=image, category_id=category, bbox=box, score=score)


def errors_of(tmp_path, detections, content=None, images=(1,), **options):
    content = content or coco_content()
    content['images'] = [each for each in content['images'] if each['id'] in images]
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] == 1]
    annotations = read_annotations(write_coco(tmp_path, content))
    return detection_errors(
        compared_images(annotations, detections), annotations.classes, **options
    )


@pytest.mark.parametrize(
    ('box', 'category', 'kind'),
    [
        (CAT, 1, None),
        (CAT, 2, 'class'),
        ([2, 3, 20, 4], 1, 'location'),  # IoU 0.4
        ([2, 3, 20, 2], 1, 'location'),  # 0.2
        ([2, 3, 20, 4], 2, 'both'),
        ([2, 3, 20, 1], 1, 'location'),  # 0.1, which still counts
        ([2, 3, 10, 1], 1, 'background'),  # 0.05
        ([2, 3, 10, 1], 2, 'background'),
        (FAR_AWAY, 1, 'background'),
    ],
)
def test_a_single_detection_is_of_one_kind(tmp_path, box, category, kind):
    errors = errors_of(tmp_path, [found(box, category)])
    counts = {name: number for name, number in errors.counts.items() if name != 'missed'}
    assert counts == {name: int(name == kind) for name in ERRORS if name != 'missed'}
    # The cat is accounted for by what nearly found it, the dog by nothing.
    assert errors.counts['missed'] == (1 if kind in (None, 'class', 'location') else 2)


def test_the_second_on_an_object_is_a_duplicate(tmp_path):
    errors = errors_of(tmp_path, [found(CAT), found(CAT, score=0.8), found(DOG, 2)])
    assert errors.counts == {name: int(name == 'duplicate') for name in ERRORS}
    # The duplicate comes after all that is right: nothing is lost by it.
    assert errors.average_precision == 1 and errors.gains['duplicate'] == 0


def test_average_precision_lost_by_each_kind(tmp_path):
    """Of two classes that of the dogs is perfect. Of the cats one object is asked for: a detection
    before the right one halves the precision, and so takes a quarter of the mean."""
    right = [found(CAT, score=0.5), found(DOG, 2)]
    for wrong, kind in (
        (found(FAR_AWAY), 'background'),
        (found([24, 8, 16, 6]), 'both'),
    ):
        errors = errors_of(tmp_path, [wrong, *right])
        assert errors.average_precision == pytest.approx(0.75)
        expected = {name: 0.25 * (name == kind) for name in ERRORS}
        assert errors.gains == pytest.approx(expected)
    # A dog that was taken for a cat: put right, it finds the dog and leaves the cats alone.
    errors = errors_of(tmp_path, [found(DOG), found(CAT, score=0.5)])
    assert errors.average_precision == pytest.approx(0.25)
    assert errors.gains['class'] == pytest.approx(0.75) and errors.counts['missed'] == 0
    errors = errors_of(tmp_path, [found(CAT), found([24, 8, 16, 6], 2)])
    assert errors.gains == pytest.approx({name: 0.5 * (name == 'location') for name in ERRORS})
    errors = errors_of(tmp_path, [found(CAT)])
    assert errors.gains == pytest.approx({name: 0.5 * (name == 'missed') for name in ERRORS})


def test_of_several_that_nearly_found_an_object_the_best_counts(tmp_path):
    near = [found([24, 8, 16, 6], 2, score) for score in (0.6, 0.9, 0.3)]
    errors = errors_of(tmp_path, [found(CAT), *near])
    assert errors.counts['location'] == 3 and errors.gains['location'] == pytest.approx(0.5)


def test_nothing_is_found_and_nothing_is_there(tmp_path):
    errors = errors_of(tmp_path, [])
    assert errors.average_precision == 0 and errors.gains['missed'] == 1
    assert errors.counts == {name: 2 * (name == 'missed') for name in ERRORS}
    errors = detection_errors([], ['cat', 'dog'])
    assert np.isnan(errors.average_precision) and not errors.confusion.any()
    assert errors.table().splitlines()[1].split()[:3] == ['class', '-', '0']


@pytest.mark.parametrize('empty', [0, 1])
def test_an_image_without_objects(tmp_path, empty):
    """What is found in image 3 is of the background; where nothing is found, nothing changes."""
    more = [found(CAT, 1, 0.95, image=3), found(DOG, 2, 0.2, image=3)] if empty else []
    errors = errors_of(tmp_path, [found(CAT), found(DOG, 2), *more], images=(1, 3))
    assert errors.counts == {name: 2 * empty * (name == 'background') for name in ERRORS}
    assert errors.counts_above['background'] == empty
    # The cat comes second in its class, the dog first.
    assert errors.average_precision == pytest.approx(0.75 if empty else 1)
    assert errors.gains['background'] == pytest.approx(0.25 if empty else 0)
    assert errors.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [empty, 0, 0]]


def test_detections_in_a_crowd_are_no_errors(tmp_path):
    content = coco_content()
    content['annotations'][0]['iscrowd'] = 1
    inside = [found([2, 3, 5, 5]), found([8, 3, 5, 5], score=0.8)]
    errors = errors_of(tmp_path, [*inside, found(DOG, 2)], content)
    assert not any(errors.counts.values()) and errors.average_precision == 1
    assert errors.confusion.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_the_confusion_matrix(tmp_path):
    detections = [
        found(CAT, 2, 0.4),
        # Of a better place, though of a lower score: it has found the dog.
        found(DOG, 2, 0.5),
        found([24, 8, 16, 12], 1, 0.9),
        found(FAR_AWAY, 2, 0.8),
        found(FAR_AWAY, 1, 0.29),
    ]
    errors = errors_of(tmp_path, detections)
    assert errors.confusion.tolist() == [[0, 1, 0], [0, 1, 0], [1, 1, 0]]
    errors = errors_of(tmp_path, detections, score=0.45)
    assert errors.confusion.tolist() == [[0, 0, 1], [0, 1, 0], [1, 1, 0]]
    assert errors.counts_above['missed'] == 1 and errors.counts['missed'] == 0
    errors = errors_of(tmp_path, detections, score=0)
    assert errors.confusion[2].tolist() == [2, 1, 0]


def test_detections_beyond_the_most_do_not_count(tmp_path):
    annotations = read_annotations(write_coco(tmp_path))
    detections = [found(FAR_AWAY, score=score) for score in (0.9, 0.8, 0.7)]
    images = compared_images(annotations, [*detections, found(DOG, 2)], most=2)
    assert detection_errors(images, annotations.classes).counts['background'] == 2


@pytest.fixture(scope='module', params=[('bccd', 'bbox'), ('nuclei', 'segm'), ('nuclei', 'bbox')])
def broken_down(request):
    """The truth of real images, moved, doubled and mixed up, and its errors."""
    data, iou_type = request.param
    annotations = read_annotations(SHARED / 'data' / data / 'annotations/val.json')
    detections = plausible(annotations)
    for place, detection in enumerate(detections):
        # Of equal scores no rule says which comes first in a class it was not found as.
        detection['score'] += 1e-6 * place
    images = compared_images(annotations, detections, iou_type)
    errors = detection_errors(images, annotations.classes)
    return annotations, detections, iou_type, errors


@needs_shared
def test_the_precision_is_that_of_coco(broken_down):
    annotations, detections, iou_type, errors = broken_down
    metrics = evaluate_detections(annotations, detections, iou_type).metrics
    assert errors.average_precision == pytest.approx(metrics['mAP_50'], abs=1e-12)
    objects = errors.confusion[:-1].sum()
    assert objects == len(annotations.dataset['annotations']) - annotations.crowds
    assert all(value >= 0 for value in errors.gains.values())


@needs_shared
def test_errors_are_those_of_hotcoco(broken_down, tmp_path):
    hotcoco = pytest.importorskip('hotcoco')
    annotations, detections, iou_type, errors = broken_down
    left_out = 'bbox' if iou_type == 'segm' else 'segmentation'
    file = tmp_path / 'found.json'
    file.write_text(
        json.dumps([{k: v for k, v in each.items() if k != left_out} for each in detections])
    )
    truth = hotcoco.COCO(str(annotations.path))
    evaluation = hotcoco.COCOeval(truth, truth.load_res(str(file)), iou_type)
    evaluation.evaluate()
    evaluation.accumulate()
    theirs = evaluation.tide_errors()
    names = dict(zip(ERRORS, ('Cls', 'Loc', 'Both', 'Dupe', 'Bkg', 'Miss'), strict=True))
    for kind, name in names.items():
        assert errors.counts[kind] == theirs['counts'][name]
        assert errors.gains[kind] == pytest.approx(theirs['delta_ap'][name], abs=1e-9)
