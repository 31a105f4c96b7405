"""What is suspicious of boxes and masks is found, each kind once."""

import hashlib
import json
import shutil

import cv2
import numpy as np
import pytest

from rexdense.datasets.coco.folder import CocoFolder
from rexdense.datasets.coco.masks import decode_mask, encode_mask
from rexdense.datasets.inspection import holes
from rexdense.datasets.inspection.boxes import inspect_boxes
from rexdense.datasets.inspection.copies import write_box_copy
from rexdense.datasets.inspection.doubles import double_boxes
from rexdense.datasets.inspection.sources import read_box_splits, recognised
from rexdense.errors import DataError, InvalidArgument, UnwritableFile
from tests.datasets.images.turned_files import save_turned
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import HEIGHT, WIDTH, coco_content, write_coco
from tests.small_formats import write_image, write_voc, write_yolo


def inspected(root, form='coco'):
    splits = read_box_splits(root, form)
    return inspect_boxes(splits), splits


def found(root, form='coco'):
    """(what, split, image, annotations) of all that is suspicious."""
    return [
        (each.what, each.split, each.image, each.annotations)
        for each in inspected(root, form)[0].suspicions
    ]


def of_boxes(*boxes, **changes):
    """A file of one cat for each box on image 1, and two images besides."""
    content = coco_content()
    entry = content['annotations'][0]
    content['annotations'] = [
        {**entry, 'id': number, 'bbox': box, **changes} for number, box in enumerate(boxes, 1)
    ]
    return content


@pytest.mark.parametrize(
    ('boxes', 'expected'),
    [
        ([[2, 2, 10, 10], [20, 2, 10, 10]], []),
        # 1x1 ... an IoU of 81 / 119 and of 90 / 100.
        ([[2, 2, 10, 10], [3, 3, 10, 10]], []),
        (
            [[2, 2, 10, 10], [2, 2, 10, 9]],
            [('double box of one class, IoU over 0.8', (1, 2))],
        ),
        ([[2, 2, 10, 0], [1, 1, 5, 5]], [('zero-size box', (1,))]),
        ([[60, 2, 10, 10], [1, 1, 5, 5]], [('box outside the image', (1,))]),
        ([[2, 2, -3, 10], [1, 1, 5, 5]], [('negative box size', (1,))]),
        ([[2, 2, 0.5, 10], [1, 1, 5, 5]], [('box below one pixel', (1,))]),
        ([[2, 2, 10], [1, 1, 5, 5]], [('box is not four numbers', (1,))]),
        ([[-4, 2, 10, 10]], [('box that reaches out of its image', (1,))]),
        ([[0, 0, WIDTH, HEIGHT]], [('box that covers the whole image', (1,))]),
    ],
)
def test_boxes(tmp_path, boxes, expected):
    write_coco(tmp_path, of_boxes(*boxes))
    assert found(tmp_path) == [(what, 'train', '1.png', ids) for what, ids in expected]


def test_doubles_are_of_one_class_image_and_object(tmp_path):
    box = [2, 2, 10, 10]
    content = of_boxes(box, box, box, box)
    for entry, change in zip(
        content['annotations'],
        ({}, {'category_id': 2}, {'image_id': 2}, {'iscrowd': 1}),
        strict=True,
    ):
        entry.update(change)
    assert double_boxes(content['annotations']) == []


def mask_of(left, top, width, height):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + height, left : left + width] = True
    return encode_mask(mask)


RODS = [[2, 2, 4, 2, 12, 12, 10, 12]], [[10, 2, 12, 2, 4, 12, 2, 12]]


@pytest.mark.parametrize(
    ('masks', 'doubles'),
    [
        (RODS, 0),
        ((RODS[0], RODS[0]), 1),
        ((RODS[0], [[2, 2, 5, 2, 12, 12, 10, 12]]), 1),
        ((RODS[0], mask_of(2, 2, 10, 10)), 0),
        ((mask_of(2, 2, 10, 10), mask_of(2, 2, 10, 9)), 1),
        ((RODS[0], {'size': [HEIGHT, WIDTH], 'counts': '!'}), 1),
        ((RODS[0], None), 1),
    ],
)
def test_crossed_rods_are_two_objects(tmp_path, masks, doubles):
    content = of_boxes(*[[2, 2, 10, 10]] * 2)
    for entry, mask in zip(content['annotations'], masks, strict=True):
        entry['segmentation'] = mask
    assert len(double_boxes(content['annotations'])) == doubles
    if masks is RODS:
        write_coco(tmp_path / 'a', content)
        report, splits = inspected(tmp_path / 'a')
        written = write_box_copy(splits, report, tmp_path / 'b', clean=True)
        assert written == dict(train=(3, 2)) and report.suspicions == []


@pytest.mark.parametrize(
    ('segmentation', 'what'),
    [
        ([[2, 2, 12, 2]], 'mask polygon of fewer than 3 points'),
        ([[2, 2, 12, 2, 12, 12, 3]], 'mask polygon of an odd number of coordinates'),
        ([[20, 20, 30, 20, 30, 30]], 'mask outside its box'),
        ([], 'no mask'),
        ({'size': [9, 9], 'counts': [81]}, 'mask run lengths of another size than the image'),
        ({'size': [HEIGHT, WIDTH], 'counts': '!'}, 'mask run lengths that cannot be decoded'),
        (mask_of(2, 2, 10, 4), 'mask that disagrees with its box'),
    ],
)
def test_masks(tmp_path, segmentation, what):
    content = of_boxes([2, 2, 10, 10], [14, 2, 10, 10], [26, 2, 10, 10])
    for entry, left in zip(content['annotations'], (2, 14, 26), strict=True):
        entry['segmentation'] = mask_of(left, 2, 10, 10)
    content['annotations'][0]['segmentation'] = segmentation
    write_coco(tmp_path, content)
    assert found(tmp_path) == [(what, 'train', '1.png', (1,))]
    assert inspected(tmp_path)[0].kind == 'masks'


SQUARE, OVER = [2, 2, 12, 2, 12, 12, 2, 12], [7, 4, 17, 4, 17, 10, 7, 10]
INNER = [9, 4, 9, 10, 4, 10]
ROUND_A_CORNER = [2, 2, 12, 2, 12, 4, 4, 4, 4, 12, 2, 12]


@pytest.mark.parametrize(
    ('polygons', 'suspicious'),
    [
        ([SQUARE, INNER], True),
        ([INNER, SQUARE], True),
        ([SQUARE, OVER], False),
        ([SQUARE, [20, 20, 30, 20, 30, 30]], False),
        ([ROUND_A_CORNER, [6, 6, 10, 6, 10, 10]], False),
        ([SQUARE], False),
        ([SQUARE, SQUARE], False),
    ],
)
def test_polygons_inside_others_make_no_holes(tmp_path, polygons, suspicious):
    content = of_boxes([2, 2, 10, 10], [20, 2, 10, 10])
    content['annotations'][0]['segmentation'] = polygons
    content['annotations'][1]['segmentation'] = mask_of(20, 2, 10, 10)
    write_coco(tmp_path, content)
    what = 'mask polygon inside another, which makes no hole'
    kinds = [each for each in found(tmp_path) if each[0] == what]
    assert kinds == ([(what, 'train', '1.png', (1,))] if suspicious else [])
    if suspicious:
        filled = decode_mask(polygons, HEIGHT, WIDTH)
        assert (filled == decode_mask([SQUARE], HEIGHT, WIDTH)).all()


def test_only_polygons_whose_boxes_lie_inside_others_are_compared(monkeypatch):
    """A mask of a thousand polygons would have a million pairs."""
    compared = []
    monkeypatch.setattr(holes, '_inside', lambda *pair: compared.append(pair))
    apart = [[10 * left, 0, 10 * left + 5, 0, 10 * left, 5] for left in range(50)]
    holes.with_inner_polygons([dict(segmentation=[*apart, SQUARE, INNER])])
    assert len(compared) == 1


def test_classes_with_nearly_the_same_name(tmp_path):
    content = coco_content()
    content['categories'] += [{'id': 3, 'name': 'Cat'}, {'id': 4, 'name': 'ca t '}]
    write_coco(tmp_path, content)
    (suspicion,) = inspected(tmp_path)[0].suspicions
    assert suspicion.what == 'classes whose names differ in case or spaces alone'
    assert suspicion.text() == "train: 'cat', 'Cat', 'ca t '"


def test_a_set_whose_masks_are_all_broken_is_one_of_masks(tmp_path):
    write_coco(tmp_path, of_boxes([2, 2, 10, 10], segmentation=[[1, 1, 2, 2]]))
    assert [what for what, *_ in found(tmp_path)] == ['mask polygon of fewer than 3 points']


def test_images(tmp_path):
    """Missing, damaged, of another size, in two splits, twice in a split."""
    content = coco_content()
    content['images'] += [
        {'id': number, 'file_name': f'{number}.png', 'width': WIDTH, 'height': HEIGHT}
        for number in (4, 5, 6)
    ]
    write_coco(tmp_path, content)
    images = tmp_path / 'images'
    other = coco_content()
    other['images'] = [{**content['images'][0], 'file_name': '7.png'}]
    other['annotations'] = other['annotations'][:2]
    write_coco(tmp_path, other, 'val')
    # The same pixels in a file of other bytes.
    assert cv2.imwrite(
        str(images / '7.png'), cv2.imread(str(images / '1.png')), [cv2.IMWRITE_PNG_COMPRESSION, 0]
    )
    shutil.copy(images / '2.png', images / '3.png')
    (images / '4.png').unlink()
    (images / '5.png').write_text('no image')
    cv2.imwrite(str(images / '6.png'), np.zeros((9, 9, 3), np.uint8))
    assert sorted(found(tmp_path)) == [
        ('damaged image', 'train', '5.png', ()),
        ('image in two splits', 'train', '1.png', ()),
        ('image of another size than annotated', 'train', '6.png', ()),
        ('image that is not there', 'train', '4.png', ()),
        ('image twice in a split', 'train', '2.png', ()),
    ]
    report, splits = inspected(tmp_path)
    assert report.samples_without == {'train': ['3.png', '5.png', '6.png'], 'val': []}
    write_box_copy(splits, report, tmp_path / 'out', clean=True)
    fixed, _ = inspected(tmp_path / 'out')
    assert [entry.name for entry in fixed.images['train']] == ['train/2.png', 'train/3.png']
    assert [entry.name for entry in fixed.images['val']] == ['val/7.png']
    assert [each.what for each in fixed.suspicions] == ['image twice in a split']
    with pytest.raises(DataError, match=r'train: 4\.png is not there; .*5\.png cannot be decoded'):
        write_box_copy(splits, report, tmp_path / 'other', clean=False)


def test_an_image_whose_sides_are_swapped(tmp_path):
    """Training takes the stored size of an image that its orientation turns, and no other."""
    content = coco_content()
    for image in content['images']:
        image['width'], image['height'] = HEIGHT, WIDTH
    content['annotations'] = []
    write_coco(tmp_path, content)
    (tmp_path / 'images/1.png').unlink()
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'images/1.png'), pixels)
    (tmp_path / 'images/2.png').unlink()
    save_turned(tmp_path / 'images/2.png', pixels[::-1], 6)
    kinds = {each[0]: each[2] for each in found(tmp_path) if each[2]}
    assert kinds == {
        'image of another size than annotated': '1.png',
        'image with an orientation tag, annotated as it is stored': '2.png',
    }


def test_a_file_that_is_listed_twice_is_copied_once(tmp_path):
    content = coco_content()
    content['images'][2]['file_name'] = '1.png'
    write_coco(tmp_path / 'set', content)
    report, splits = inspected(tmp_path / 'set')
    for clean in (False, True):
        target = tmp_path / f'out{clean}'
        assert write_box_copy(splits, report, target, clean) == {'train': (3, 4)}
        read = CocoFolder(target).read('train')
        names = [image['file_name'] for image in read.dataset['images']]
        assert names == ['train/1.png', 'train/2.png', 'train/1.png']


def test_images_without_annotations_are_copied(tmp_path):
    content = coco_content()
    write_coco(tmp_path / 'set', content)
    del content['annotations']
    for image in content['images']:
        image['file_name'] = f't{image["file_name"]}'
        write_image(tmp_path / 'set/images' / image['file_name'], 20 + image['id'])
    write_coco(tmp_path / 'set', content, 'test')
    report, splits = inspected(tmp_path / 'set')
    for clean in (False, True):
        written = write_box_copy(splits, report, tmp_path / f'out{clean}', clean)
        assert written['test'][1] == 0


def tree(root):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest() + str(path.stat().st_mtime_ns)
        for path in root.rglob('*')
        if path.is_file()
    }


def test_a_cleaned_copy_passes_training_s_checks_and_the_source_stays(tmp_path):
    source = tmp_path / 'source'
    content = coco_content()
    first = content['annotations'][0]
    content['annotations'] += [
        {**first, 'id': 5},
        {**first, 'id': 6, 'bbox': [3, 3, 0, 5]},
        {**first, 'id': 7, 'bbox': [-9, 20, 20, 9], 'note': 'kept'},
    ]
    content['categories'].append({'id': 3, 'name': 'bird', 'supercategory': 'animals'})
    for split in ('train', 'val'):
        write_coco(source, content, split)
    for number, image in enumerate(content['images']):
        image['file_name'] = f'v/{image["file_name"]}'
        write_image(source / 'images' / image['file_name'], 10 + number)
    write_coco(source, content, 'val')
    before = tree(source)
    report, splits = inspected(source)
    assert {each.what for each in report.suspicions} == {
        'double box of one class, IoU over 0.8',
        'zero-size box',
        'box that reaches out of its image',
    }
    written = write_box_copy(splits, report, tmp_path / 'out', clean=True)
    assert written == {'train': (3, 5), 'val': (3, 5)}
    assert tree(source) == before
    checked = CocoFolder(tmp_path / 'out').check()
    assert checked.classes == ('cat', 'dog', 'bird')
    ids = [entry['id'] for entry in checked.val.dataset['annotations']]
    assert ids == [1, 2, 3, 4, 7]
    assert checked.val.dataset['annotations'][-1]['bbox'] == [0, 20, 11, 9]
    assert checked.val.dataset['annotations'][-1]['note'] == 'kept'
    assert inspected(tmp_path / 'out')[0].suspicions == []
    with pytest.raises(UnwritableFile):
        write_box_copy(splits, report, tmp_path / 'out', clean=True)


def test_names_that_lead_out_of_the_folder_stay_inside_the_copy(tmp_path):
    content = coco_content()
    content['images'][0]['file_name'] = '../outside/1.png'
    write_image(tmp_path / 'set/outside/1.png', 1)
    write_coco(tmp_path / 'set', content)
    report, splits = inspected(tmp_path / 'set')
    write_box_copy(splits, report, tmp_path / 'copy/out', clean=True)
    files = [path for path in (tmp_path / 'copy').rglob('*') if path.is_file()]
    assert len(files) == 4
    assert all(path.is_relative_to(tmp_path / 'copy/out') for path in files)
    assert len(inspected(tmp_path / 'copy/out')[0].images['train']) == 3


def test_other_files_than_images_are_not_copied(tmp_path):
    content = coco_content()
    content['images'][0]['file_name'] = str(tmp_path / 'secret.txt')
    (tmp_path / 'secret.txt').write_text('no image')
    write_coco(tmp_path / 'set', content)
    report, splits = inspected(tmp_path / 'set')
    with pytest.raises(DataError, match=r'secret\.txt cannot be decoded'):
        write_box_copy(splits, report, tmp_path / 'out', clean=False)
    write_box_copy(splits, report, tmp_path / 'out', clean=True)
    assert not list((tmp_path / 'out').rglob('*secret*'))


def test_dividing_keeps_equal_images_together(tmp_path):
    content = coco_content()
    content['images'] = [
        {'id': number, 'file_name': f'{number}.png', 'width': WIDTH, 'height': HEIGHT}
        for number in range(1, 13)
    ]
    write_coco(tmp_path, content)
    path = tmp_path / 'annotations/train.json'
    path.rename(tmp_path / 'result.json')
    for number in range(2, 7):
        shutil.copy(tmp_path / 'images/1.png', tmp_path / f'images/{number}.png')
    assert recognised(tmp_path) == 'coco'
    report, splits = inspected(tmp_path)
    written = write_box_copy(splits, report, tmp_path / 'out', clean=False, val_share=0.3)
    assert sum(images for images, _ in written.values()) == 12
    assert sum(boxes for _, boxes in written.values()) == 4
    divided, others = inspected(tmp_path / 'out')
    assert 'image in two splits' not in {each.what for each in divided.suspicions}
    assert list(others) == ['train', 'val']
    with pytest.raises(InvalidArgument, match='this one has train, val'):
        write_box_copy(others, divided, tmp_path / 'again', clean=False, val_share=0.3)


def test_dividing_keeps_augmented_copies_together(tmp_path):
    names = [f'{number % 4}_jpg.rf.{number:032x}.png' for number in range(12)]
    content = coco_content()
    content['images'] = [
        {'id': number, 'file_name': name, 'width': WIDTH, 'height': HEIGHT}
        for number, name in enumerate(names, start=1)
    ]
    write_coco(tmp_path, content)
    report, splits = inspected(tmp_path)
    assert 'image twice in a split' not in {each.what for each in report.suspicions}
    written = write_box_copy(splits, report, tmp_path / 'out', clean=False, val_share=0.25)
    assert [images for images, _ in written.values()] == [9, 3]
    of_val = {path.name.partition('_')[0] for path in (tmp_path / 'out/images/val').iterdir()}
    assert len(of_val) == 1
    # One image that was uploaded under two names.
    shutil.copy(tmp_path / 'images' / names[0], tmp_path / 'images' / names[1])
    report, splits = inspected(tmp_path)
    assert 'image twice in a split' in {each.what for each in report.suspicions}
    written = write_box_copy(splits, report, tmp_path / 'again', clean=False, val_share=0.5)
    assert sorted(images for images, _ in written.values()) in ([3, 9], [6, 6])


def test_train_is_divided_where_there_is_no_val(tmp_path):
    write_coco(tmp_path)
    other = coco_content()
    other['images'], other['annotations'] = other['images'][:2], other['annotations'][:1]
    write_coco(tmp_path, other, 'test')
    report, splits = inspected(tmp_path)
    written = write_box_copy(splits, report, tmp_path / 'out', clean=False, val_share=0.3)
    assert {split: images for split, (images, _) in written.items()} == dict(train=2, val=1, test=2)
    assert sum(boxes for _, boxes in written.values()) == 4 + 1
    checked = CocoFolder(tmp_path / 'out').check()
    assert checked.classes == ('cat', 'dog')


def test_classes_that_train_lacks_and_a_split_without_annotations(tmp_path):
    content = coco_content()
    content['annotations'] = []
    content['categories'].append({'id': 3, 'name': 'bird'})
    write_coco(tmp_path)
    write_coco(tmp_path, content, 'val')
    report, _ = inspected(tmp_path)
    assert ('class that train does not have', 'val', "'bird'") in [
        (each.what, each.split, each.detail) for each in report.suspicions
    ]
    assert ('split without a single object', 'val') in [
        (each.what, each.split) for each in report.suspicions
    ]
    assert "val has no box of 'cat', 'dog', 'bird'." in report.text()


def test_rows_that_cannot_be_read_are_left_out_of_a_cleaned_copy(tmp_path):
    root = write_yolo(tmp_path / 'yolo')
    (root / 'train/labels/1.txt').write_text('0 0.5 0.5 nan 0.1\n1 0.5 0.5 0.2 0.2\n')
    report, splits = inspected(root, 'yolo')
    (bad,) = (each for each in report.suspicions if 'cannot be read' in each.what)
    assert bad.detail == 'train/labels/1.txt line 1: a number is NaN or infinite'
    with pytest.raises(DataError, match=r'1\.txt line 1: .*: mend these, or --write-fixed'):
        write_box_copy(splits, report, tmp_path / 'out', clean=False)
    assert not (tmp_path / 'out').exists()
    for number in (1, 2, 3):
        write_image(root / f'train/images/{number}.png', 10 + number)
    report, splits = inspected(root, 'yolo')
    write_box_copy(splits, report, tmp_path / 'out', clean=True)
    assert inspected(tmp_path / 'out')[0].counts['train'] == {'cat': 1, 'dog': 2}


def test_a_voc_split_without_objects(tmp_path):
    root = write_voc(tmp_path)
    (root / 'ImageSets/Main/val.txt').write_text('3\n')
    report, _ = inspected(root, 'voc')
    assert report.counts == {'train': {'cat': 2, 'dog': 2}, 'val': {'cat': 0, 'dog': 0}}
    assert ('split without a single object', 'val') in [
        (each.what, each.split) for each in report.suspicions
    ]
    for stem in '12':
        (root / f'Annotations/{stem}.xml').write_text('<annotation/>')
    with pytest.raises(DataError, match='has no object at all that can be read: annotate some'):
        inspected(root, 'voc')


@needs_shared
def test_blood_cells():
    """The eight double boxes that the README of the data tells of, by the images with them."""
    report, _ = inspected(SHARED / 'data/bccd')
    doubles = [each for each in report.suspicions if 'IoU over 0.8' in each.what]
    by_split = {split: sum(each.split == split for each in doubles) for split in report.images}
    assert by_split == {'train': 5, 'val': 2, 'test': 1}
    assert len(report.suspicions) == 8
    assert all(', RBC, IoU 0.' in each.detail for each in doubles)
    assert report.counts['test'] == {'RBC': 805, 'WBC': 71, 'Platelets': 69}
    document = json.loads(json.dumps(report.document()))
    assert document['splits']['val']['object_sizes'] == {'small': 7, 'medium': 334, 'large': 796}
