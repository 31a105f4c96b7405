"""Checking a user's own folder before a training."""

import json
import shutil

import pytest

from rexdense.datasets.coco.folder import CocoFolder, summary
from rexdense.errors import DataError
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import coco_content, write_coco


@pytest.fixture
def root(tmp_path):
    write_coco(tmp_path, split='train')
    write_coco(tmp_path, split='val')
    return tmp_path


def renamed(*names):
    """Content whose categories 1, 2 ... bear the given names."""
    content = coco_content()
    content['categories'] = [
        {'id': number, 'name': name} for number, name in enumerate(names, start=1)
    ]
    return content


def test_a_folder_in_order(root):
    checked = CocoFolder(root).check()
    assert checked.classes == ('cat', 'dog')
    assert checked.summary() == '\n'.join(
        [
            '                 train  val',
            'images               3    3',
            '  without boxes      1    1',
            'boxes                4    4',
            '  cat                2    2',
            '  dog                2    2',
            'Images without boxes are kept: they are learnt from as background.',
        ]
    )


def test_classes_are_matched_by_name(root):
    write_coco(root, renamed('dog', 'cat'), 'val')
    checked = CocoFolder(root).check()
    assert checked.val.classes == ('cat', 'dog')
    assert checked.val.category_ids == {'dog': 1, 'cat': 2}
    assert checked.val.labels == {1: 1, 2: 0}


def test_validation_may_lack_classes(root):
    write_coco(root, renamed('cat', 'dog', 'bird'), 'train')
    checked = CocoFolder(root).check()
    assert checked.val.boxes_per_class == {'cat': 2, 'dog': 2, 'bird': 0}
    assert "train has no box of 'bird'.\nval has no box of 'bird'." in checked.summary()


def test_validation_with_other_classes(root):
    write_coco(root, renamed('cat', 'dogs'), 'val')
    with pytest.raises(DataError) as caught:
        CocoFolder(root).check()
    folder = root / 'annotations'
    assert str(caught.value) == (
        f"{folder / 'val.json'} has the classes 'dogs', which {folder / 'train.json'} does not "
        "have; use one spelling in both, or name the classes to train (did you mean 'dog'?)"
    )
    assert CocoFolder(root).check(classes=['cat']).val.boxes_per_class == {'cat': 2}


@pytest.mark.parametrize('name', ['nowhere', 'images/1.png'])
def test_data_root_that_is_no_folder(root, name):
    with pytest.raises(DataError, match=r'data root .* is (not there|a file); give the folder'):
        CocoFolder(root / name).check()


def test_data_root_that_is_a_zip_file(tmp_path):
    (tmp_path / 'a.zip').write_bytes(b'')
    with pytest.raises(DataError, match=r'is a zip file: rexdense prepare .*a\.zip --unpack'):
        CocoFolder(tmp_path / 'a.zip').check()


def test_other_names(tmp_path):
    write_coco(tmp_path, split='a')
    write_coco(tmp_path, split='b')
    (tmp_path / 'images').rename(tmp_path / 'pictures')
    (tmp_path / 'validation').symlink_to(tmp_path / 'pictures')
    folder = CocoFolder(tmp_path, 'pictures', 'annotations/a.json', 'annotations/b.json')
    assert folder.check().classes == ('cat', 'dog')
    apart = CocoFolder(
        tmp_path, 'pictures', 'annotations/a.json', 'annotations/b.json', 'validation'
    )
    assert apart.check().classes == ('cat', 'dog')


def test_summary_counts_what_was_left_out(root):
    content = coco_content()
    content['annotations'][0]['bbox'] = [-2, 0, 10, 10]
    content['annotations'][1]['bbox'] = [3, 3, 0, 4]
    write_coco(root, content, 'val')
    lines = CocoFolder(root).check().summary().splitlines()
    assert lines[6:8] == [
        'left out: zero-size box      0    1',
        'boxes cut to the image       0    1',
    ]
    assert lines[-1] == (
        '1 of the 3 boxes of val reach out of their image: a COCO box is '
        '[left, top, width, height], not two corners.'
    )


def test_summary_of_many_classes_shows_the_largest(root):
    names = [f'class {number}' for number in range(30)]
    content = renamed(*names)
    for place, entry in enumerate(content['annotations']):
        entry['category_id'] = 27 + place  # classes 26 to 29
    path = write_coco(root, content, 'train')
    lines = summary({'train': CocoFolder(root).read('train')}).splitlines()
    assert path.exists()
    assert lines[4].split() == ['class', '26', '1']
    assert lines[24].split() == ['10', 'more', 'classes', '0']


@needs_shared
def test_real_folder():
    checked = CocoFolder(SHARED / 'data' / 'bccd').check()
    assert checked.summary().splitlines() == [
        '             train   val',
        'images         205    87',
        'boxes         2804  1137',
        '  RBC         2381   967',
        '  WBC          214    87',
        '  Platelets    209    83',
    ]


def as_roboflow(root, target, validation='valid'):
    """Write the folder as Roboflow exports it: images beside their annotations, and a root."""
    for name in ('train', validation):
        content = renamed('cat', 'dog')
        for category in content['categories']:
            category['supercategory'] = 'pets'
        content['categories'].insert(0, {'id': 0, 'name': 'pets', 'supercategory': 'none'})
        shutil.copytree(root / 'images', target / name)
        (target / name / '_annotations.coco.json').write_text(json.dumps(content))
    return target


def as_coco(root, target, images='{}2017'):
    """Write the folder as COCO's own is laid out."""
    (target / 'annotations').mkdir(parents=True)
    for split in ('train', 'val'):
        shutil.copytree(root / 'images', target / images.format(split))
        shutil.copy(
            root / f'annotations/{split}.json', target / f'annotations/instances_{split}2017.json'
        )
        (target / f'annotations/captions_{split}2017.json').write_text('{}')
    return target


@pytest.mark.parametrize('validation', ['valid', 'val'])
def test_roboflows_layout(root, tmp_path, validation):
    folder = CocoFolder(as_roboflow(root, tmp_path / 'robo', validation))
    checked = folder.check()
    assert checked.classes == ('cat', 'dog')
    assert checked.val.boxes_per_class == {'cat': 2, 'dog': 2}
    assert "'pets' of train is no class: it has no box" in checked.summary()
    assert folder.found_places({'train': checked.train, 'val': checked.val}) == [
        'train is read from train/_annotations.coco.json, its images from train/.',
        f'val is read from {validation}/_annotations.coco.json, its images from {validation}/.',
    ]


@pytest.mark.parametrize('images', ['{}2017', 'images/{}2017', 'images'])
def test_cocos_layout(root, tmp_path, images):
    if images == 'images':
        target = tmp_path / 'coco'
        as_coco(root, target, '{}2017')
        for split in ('train', 'val'):
            shutil.rmtree(target / f'{split}2017')
        shutil.copytree(root / 'images', target / 'images')
    else:
        target = as_coco(root, tmp_path / 'coco', images)
    folder = CocoFolder(target)
    checked = folder.check()
    assert checked.train.boxes_per_class == {'cat': 2, 'dog': 2}
    assert folder.found_places({'val': checked.val}) == [
        'val is read from annotations/instances_val2017.json, its images from '
        f'{images.format("val")}/.'
    ]


def test_own_layout_comes_first_and_is_not_spoken_of(root):
    as_roboflow(root, root)
    folder = CocoFolder(root)
    checked = folder.check()
    assert checked.train.path == root / 'annotations/train.json'
    assert folder.found_places({'train': checked.train, 'val': checked.val}) == []


def test_two_annotation_files_of_one_split(root, tmp_path):
    target = as_coco(root, tmp_path / 'coco')
    shutil.copy(
        target / 'annotations/instances_train2017.json',
        target / 'annotations/instances_train2014.json',
    )
    with pytest.raises(
        DataError,
        match=r'has annotations/instances_train2014\.json and annotations/\S+2017\.json '
        'for train: choose one with --train-annotations',
    ):
        CocoFolder(target).check()


def test_no_annotation_file_of_any_layout(root):
    (root / 'annotations/val.json').unlink()
    with pytest.raises(
        DataError,
        match='has no annotation file for val: looked for annotations.*'
        r'prepare --val-share divide what annotations/train\.json has',
    ):
        CocoFolder(root).check()
