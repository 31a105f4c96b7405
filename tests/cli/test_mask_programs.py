"""Mask R-CNN trained, measured and shown on masks of every form; what is wrong with masks is told
in one line."""

import contextlib
import io
import json
import re
import shutil

import pytest

pytest.importorskip('mmdet')

import cv2
import numpy as np
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO

from rexdense.cli import predict, test, train
from rexdense.datasets.coco.masks import decode_mask
from rexdense.engine.trained.file import read_training_file
from rexdense.errors import DataError, InvalidArgument
from rexdense.visualization.scalars import read_scalars
from tests.small_coco import HEIGHT, WIDTH, coco_content, write_coco
from tests.tiny_run import CONFIG, MASK_CONFIG, ROOT, run_arguments, train_arguments


def as_polygon(mask):
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [outline.ravel().tolist() for outline in outlines if len(outline) > 2]


def as_numbers(mask):
    changes = np.flatnonzero(np.diff(mask.ravel('F').astype(int), prepend=0))
    return dict(size=list(mask.shape), counts=np.diff([0, *changes, mask.size]).tolist())


@pytest.fixture(scope='module')
def mixed(shapes, tmp_path_factory):
    """Shapes whose masks are polygons, and run lengths as text and as numbers."""
    root = shutil.copytree(shapes, tmp_path_factory.mktemp('mixed') / 'data')
    for split in ('train', 'val'):
        file = root / f'annotations/{split}.json'
        content = json.loads(file.read_text())
        for place, entry in enumerate(content['annotations']):
            mask = decode_mask(entry['segmentation'], 64, 64)
            form = (lambda mask: None, as_polygon, as_numbers)[place % 3](mask)
            entry['segmentation'] = form or entry['segmentation']
        file.write_text(json.dumps(content))
    return root


@pytest.fixture(scope='module')
def trained(mixed, tmp_path_factory, quick_configs):
    """One epoch of a Mask R-CNN; its work dir and what was printed."""
    work_dir = tmp_path_factory.mktemp('runs') / 'masks'
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train.main(train_arguments(mixed, work_dir, config=MASK_CONFIG))
    return work_dir, output.getvalue()


def test_training_measures_and_draws_masks(trained):
    work_dir, output = trained
    (row,) = read_scalars(work_dir).validation
    for kind in ('bbox', 'segm'):
        assert {f'coco/{kind}_{name}' for name in ('mAP', 'mAP_50', 'mAP_75')} <= set(row)
        assert f'coco/{kind}_AP/circle' in row
    assert 'left out' not in output and 'mask AP' in output
    assert 'loss_mask' in read_scalars(work_dir).training[-1]
    for name in ('curves.png', 'predictions.png'):
        assert cv2.imread(str(work_dir / name)).min() < 255
    model = read_training_file(work_dir / 'epoch_1.pth').config().model
    assert model.roi_head.bbox_head.num_classes == model.roi_head.mask_head.num_classes == 6


def test_measuring_and_predicting_masks(trained, mixed, tmp_path, capsys):
    work_dir, _ = trained
    checkpoint = str(work_dir / 'epoch_1.pth')
    results = tmp_path / 'results.json'
    options = run_arguments(mixed, tmp_path / 'run', '--out', str(results), config=MASK_CONFIG)
    test.main([str(ROOT / MASK_CONFIG), checkpoint, *options])
    printed = capsys.readouterr().out
    # A table by class of boxes, and one of masks.
    assert len(re.findall(r'class +annotations +AP +AP50 +AP75', printed)) == 2
    for entry in json.loads(results.read_text()):
        assert mask_tools.decode(entry['segmentation']).shape == (64, 64)

    out = tmp_path / 'out'
    images = mixed / 'images/val'
    command = [checkpoint, str(images), '--out-dir', str(out), '--score', '0.01']
    predict.main([*command, '--device', 'cpu'])
    content = json.loads((out / 'predictions.json').read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(out / 'predictions.json'))
    assert len(coco.anns) == sum(len(image['objects']) for image in content['images']) > 0
    names = [image['file_name'] for image in content['images']]
    assert names == sorted(path.name for path in images.iterdir())
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        assert mask.shape == (64, 64) and mask.sum() == annotation['area']
        assert annotation['score'] >= 0.01 and coco.cats[annotation['category_id']]['name']


def test_mirrored_images_count_in_measuring_and_in_predicting(trained, mixed, tmp_path):
    work_dir, _ = trained
    checkpoint, results = str(work_dir / 'epoch_1.pth'), tmp_path / 'results.json'
    options = run_arguments(mixed, tmp_path / 'run', '--out', str(results), config=MASK_CONFIG)
    # Images are flipped as in the training, which flipped them otherwise than this config.
    config = tmp_path / 'other_flips.py'
    config.write_text(
        f"_base_ = '{ROOT / MASK_CONFIG}'\n"
        "flip = dict(type='mmdet.RandomFlip', prob=0.5, direction='vertical')\n"
        'train_dataloader = dict(dataset=dict(pipeline=[flip]))\n'
    )
    test.main([str(config), checkpoint, *options, '--flip-test'])
    command = [checkpoint, str(mixed / 'images/val'), '--out-dir', str(tmp_path / 'out')]
    predict.main([*command, '--score', '0.01', '--device', 'cpu', '--flip-test'])
    measured = json.loads(results.read_text())
    images = json.loads((tmp_path / 'out/predictions.json').read_text())['images']
    scores = [
        sorted(each['score'] for each in objects)
        for objects in (measured, [each for image in images for each in image['objects']])
    ]
    assert 0 < len(scores[1]) == len([score for score in scores[0] if score >= 0.01])
    assert scores[0][-len(scores[1]) :] == pytest.approx(scores[1], abs=1e-3)


def spoiled(spoil, every=True):
    """COCO content whose masks are the boxes, all or the first of which ``spoil`` changes."""
    content = coco_content()
    for place, entry in enumerate(content['annotations']):
        left, top, width, height = entry['bbox']
        right, bottom = left + width, top + height
        entry['segmentation'] = [[left, top, right, top, right, bottom, left, bottom]]
        if every or not place:
            spoil(entry)
    return content


def mask_of(value):
    return lambda entry: entry.update(segmentation=value)


FAULTS = {
    'no mask': lambda entry: entry.pop('segmentation'),
    'mask is neither polygons nor run lengths': mask_of('0,1,2'),
    'mask polygon of fewer than 3 points': mask_of([[1, 1, 9, 9]]),
    'mask polygon of an odd number of coordinates': mask_of([[1, 1, 9, 1, 9, 9, 2]]),
    'mask polygon of points far outside the image': mask_of([[0, 0, 1e9, 0, 1e9, 1e9]]),
    'mask run lengths of another size than the image': mask_of(
        dict(size=[WIDTH, HEIGHT], counts=[WIDTH * HEIGHT])
    ),
    'mask run lengths that cannot be decoded': mask_of(dict(size=[HEIGHT, WIDTH], counts='94')),
    'mask without a pixel': mask_of(dict(size=[HEIGHT, WIDTH], counts=[WIDTH * HEIGHT])),
    'mask outside its box': mask_of([[0, 0, 1.5, 0, 1.5, 1.5]]),
}


def run(root, work_dir, *more, config=MASK_CONFIG, settings=()):
    train.main(train_arguments(root, work_dir, *more, config=config, settings=settings))


@pytest.mark.parametrize('fault', FAULTS)
def test_a_file_without_usable_masks_names_the_detector_of_boxes(fault, tmp_path):
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', spoiled(FAULTS[fault]), split)
    with pytest.raises(DataError, match=rf'4 {fault}\); masks are needed here') as caught:
        run(tmp_path / 'data', tmp_path / 'run')
    assert str(caught.value).endswith(f'add segmentation, or train on boxes: {CONFIG}')
    assert '\n' not in str(caught.value) and not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_single_bad_masks_are_counted_and_the_rest_is_trained(tmp_path, capsys):
    content = coco_content()
    content['annotations'] = []
    for number, spoil in enumerate(FAULTS.values(), start=1):
        (entry,) = spoiled(spoil, every=False)['annotations'][:1]
        content['annotations'].append({**entry, 'id': number})
    good = spoiled(lambda entry: entry)['annotations']
    content['annotations'] += [{**entry, 'id': 20 + entry['id']} for entry in good]
    # Half of its box, and a crowd.
    content['annotations'][-2]['segmentation'] = [[5, 5, 12, 5, 12, 25, 5, 25]]
    content['annotations'][-1]['iscrowd'] = 1
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', content, split)
    run(tmp_path / 'data', tmp_path / 'run')
    lines = capsys.readouterr().out.splitlines()
    for fault in FAULTS:
        (line,) = [line for line in lines if line.startswith(f'left out: {fault} ')]
        assert line.split()[-2:] == ['1', '1']
    assert any(line.startswith('crowds, not learnt from') for line in lines)
    assert (
        '1 of the 4 masks of train do not fit their boxes (IoU below 0.5; ids 23): look at them, '
        'both are learnt from as they are.'
    ) in lines
    assert (tmp_path / 'run/epoch_1.pth').exists()


def test_a_validation_file_without_annotations(tmp_path):
    write_coco(tmp_path / 'data', spoiled(lambda entry: entry))
    write_coco(tmp_path / 'data', coco_content() | dict(annotations=[]), 'val')
    with pytest.raises(DataError, match=r'val\.json: its list of annotations is empty; there is'):
        run(tmp_path / 'data', tmp_path / 'run')


@pytest.mark.slow
def test_a_class_without_objects_is_told(tmp_path, capsys):
    content = spoiled(lambda entry: entry)
    content['categories'].append(dict(id=3, name='bird'))
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', content, split)
    run(tmp_path / 'data', tmp_path / 'run')
    assert "train has no box of 'bird'." in capsys.readouterr().out


def test_heads_of_another_number_of_classes(shapes, tmp_path):
    settings = (
        f'train_dataloader.dataset.data_root={shapes}',
        f'val_dataloader.dataset.data_root={shapes}',
        f'val_evaluator.ann_file={shapes}/annotations/val.json',
        'model.roi_head.bbox_head.num_classes=6',
    )
    arguments = train_arguments(shapes, tmp_path / 'run', config=MASK_CONFIG, settings=settings)
    place = arguments.index('--data-root')
    del arguments[place : place + 2]
    with pytest.raises(
        InvalidArgument, match='FCNMaskHead of the model has num_classes=80, the training data 6 cl'
    ):
        train.main(arguments)
