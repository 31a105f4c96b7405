"""Folders as Roboflow, CVAT and Label Studio write them."""

import json

import numpy as np
import pytest

from rexdense.cli import prepare
from rexdense.datasets.coco.cleaning import turned_box
from rexdense.datasets.coco.folder import CocoFolder, summary
from rexdense.datasets.coco.masks import encode_mask
from rexdense.errors import DataError
from tests.small_coco import HEIGHT, WIDTH, coco_content
from tests.small_formats import write_image


def write(root, place, images, content=None, name='{}'.format):
    """Write an annotation file and its images, whose names in the file ``name`` makes."""
    content = content or coco_content()
    for image in content['images']:
        write_image(root / images / image['file_name'], image['id'])
        image['file_name'] = name(image['file_name'])
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(json.dumps(content))


def roboflow(root):
    """A root category of id 0, empty masks, extra keys, images beside the file."""
    for split in ('train', 'valid', 'test'):
        content = coco_content()
        content['categories'] = [
            {'id': 0, 'name': 'pets', 'supercategory': 'none'},
            {'id': 1, 'name': 'cat', 'supercategory': 'pets'},
            {'id': 2, 'name': 'dog', 'supercategory': 'pets'},
        ]
        content['info'] = {'description': 'Exported from roboflow.com', 'version': '1'}
        for image in content['images']:
            image |= {'license': 1, 'extra': {'name': 'a.jpg'}}
        for entry in content['annotations']:
            entry['segmentation'] = []
        write(root, f'{split}/_annotations.coco.json', split, content)


def cvat(root):
    """Names with the folder of the subset, attributes, subsets with a capital letter."""
    for split in ('Train', 'Validation'):
        content = coco_content()
        for entry in content['annotations']:
            entry |= {'segmentation': [], 'attributes': {'occluded': False, 'rotation': 0.0}}
        for image in content['images']:
            image |= {'license': 0, 'flickr_url': '', 'coco_url': '', 'date_captured': 0}
        write(root, f'annotations/instances_{split}.json', f'images/{split}', content)


def cvat_with_folders(root):
    for split in ('train', 'val'):
        write(
            root,
            f'annotations/instances_{split}.json',
            f'images/{split}',
            name=f'{split}/{{}}'.format,
        )


@pytest.mark.parametrize('write_export', [roboflow, cvat, cvat_with_folders])
def test_divided_exports(tmp_path, write_export):
    write_export(tmp_path)
    checked = CocoFolder(tmp_path).check()
    assert checked.classes == ('cat', 'dog')
    for split in (checked.train, checked.val):
        assert split.boxes_per_class == {'cat': 2, 'dog': 2}
        assert split.dropped == {}


def test_boxes_that_were_turned_in_cvat(tmp_path):
    """The file has them as they were before, with the angle beside them."""
    content = coco_content()
    turned = content['annotations'][0]
    turned |= dict(bbox=[12, 10, 20, 10], attributes=dict(occluded=False, rotation=270.0))
    content['annotations'][1] |= dict(attributes=dict(occluded=False, rotation=0.0))
    outline = [[24, 8, 40, 8, 40, 28]]
    content['annotations'][2] |= dict(attributes=dict(rotation=30.0), segmentation=outline)
    write(tmp_path, 'annotations/instances_default.json', 'images', content)
    folder = CocoFolder(tmp_path, train='annotations/instances_default.json')
    read = folder.read('train')
    boxes = [entry['bbox'] for entry in read.dataset['annotations']]
    assert boxes == [[17, 5, 10, 20], *(each['bbox'] for each in content['annotations'][1:])]
    assert 'boxes around turned ones      1' in summary({'train': read})
    for kind in ('out', 'write-fixed'):
        copy = tmp_path.with_name(f'{tmp_path.name}_{kind}')
        prepare.main([str(tmp_path), f'--{kind}', str(copy)])
        found = CocoFolder(copy, train='annotations/all.json').read('train')
        assert [entry['bbox'] for entry in found.dataset['annotations']] == boxes


def test_a_turned_box_at_an_angle():
    entry = dict(bbox=[20, 30, 10, 10], attributes=dict(rotation=45))
    assert turned_box(entry) == pytest.approx([17.928932, 27.928932, 14.142136, 14.142136])
    for attributes in (dict(rotation=180.0), dict(rotation='left'), {}, None, [45]):
        assert turned_box({**entry, 'attributes': attributes}) is None
    for box in ([1, 2, -3, 4], [1, 2], None):
        assert turned_box({**entry, 'bbox': box}) is None


def test_masks_of_cvat_s_brush(tmp_path):
    """They have iscrowd 1, which elsewhere means a group of objects."""
    for split, first in (('Train', 0), ('Validation', 10)):
        content = coco_content()
        for image in content['images']:
            image['id'] += first
        for entry in content['annotations']:
            entry['image_id'] += first
            left, top, width, height = entry['bbox']
            mask = np.zeros((HEIGHT, WIDTH), bool)
            mask[top : top + height, left : left + width] = True
            entry |= dict(segmentation=encode_mask(mask), iscrowd=int(entry['id'] > 1))
        write(tmp_path, f'annotations/instances_{split}.json', f'images/{split}', content)
    folder = CocoFolder(tmp_path)
    checked = folder.check(need_masks=False)
    assert checked.train.boxes_per_class == {'cat': 1, 'dog': 0}
    said = '3 of the 4 annotations of train have run lengths and iscrowd 1, as CVAT writes masks of'
    assert said in checked.summary()
    for kind in ('out', 'write-fixed'):
        copy = tmp_path.with_name(f'{tmp_path.name}_{kind}')
        prepare.main([str(tmp_path), '--no-crowds', f'--{kind}', str(copy)])
        found = CocoFolder(copy).check()
        assert found.train.boxes_per_class == found.val.boxes_per_class == {'cat': 2, 'dog': 2}
        assert 'iscrowd' not in found.summary()


@pytest.mark.parametrize(
    'name',
    [
        'images/{}'.format,
        'images\\{}'.format,
        '..\\..\\label-studio\\media\\upload\\4\\{}'.format,
        '/label-studio/data/media/upload/4/{}'.format,
        'C:\\label-studio\\media\\{}'.format,
    ],
)
def test_label_studio_s_names(tmp_path, name):
    content = coco_content()
    for kind, key in (('categories', 'id'), ('annotations', 'category_id')):
        for entry in content[kind]:
            entry[key] -= 1
    write(tmp_path, 'result.json', 'images', content, name)
    folder = CocoFolder(tmp_path, train='result.json', val='result.json')
    read = folder.read('train')
    assert read.boxes_per_class == {'cat': 2, 'dog': 2}
    last = [image['file_name'].rpartition('/')[2] for image in read.dataset['images']]
    assert last == ['1.png', '2.png', '3.png']
    with pytest.raises(DataError, match=r'prepare --val-share divide what result\.json'):
        CocoFolder(tmp_path).check()


@pytest.mark.parametrize(
    ('place', 'images'),
    [
        ('result_coco.json', 'images'),  # Label Studio's of its brush
        ('labels.json', 'data'),  # FiftyOne's
        ('annotations/labels_my-project_2025-11-29.json', 'img'),
        ('project-1.json', '.'),
    ],
)
def test_the_only_coco_file_has_any_name(tmp_path, place, images):
    write(tmp_path / 'a', place, images)
    (tmp_path / 'a/more').mkdir()
    prepare.main([str(tmp_path / 'a'), '--out', str(tmp_path / 'b')])
    found = CocoFolder(tmp_path / 'b', train='annotations/all.json').read('train')
    assert found.boxes_per_class == {'cat': 2, 'dog': 2}
    with pytest.raises(DataError, match=f'prepare --val-share divide what {place} has'):
        CocoFolder(tmp_path / 'a').check()
    # Which of two it is, nobody can tell; and others are no COCO.
    write(tmp_path / 'a', f'{place[:-5]}_2.json', images)
    with pytest.raises(DataError, match='is of no known form'):
        prepare.main([str(tmp_path / 'a')])
    (tmp_path / f'a/{place}').write_text('{"images": []}')
    (tmp_path / f'a/{place[:-5]}_2.json').unlink()
    with pytest.raises(DataError, match='is of no known form'):
        prepare.main([str(tmp_path / 'a')])


def test_of_several_other_folders_none_is_taken(tmp_path):
    write(tmp_path, 'labels.json', 'pics')
    (tmp_path / 'masks').mkdir()
    for image in (tmp_path / 'pics').iterdir():
        (tmp_path / 'masks' / image.name).write_bytes(image.read_bytes())
    with pytest.raises(DataError, match='images are missing in'):
        prepare.main([str(tmp_path)])


@pytest.mark.parametrize('folder', ['images', 'img'])
def test_sizes_that_are_not_stated_are_those_of_the_images(tmp_path, folder):
    """Label Studio states none of images that nobody has annotated."""
    content = coco_content()
    content['images'][0] |= dict(width=None, height=None)
    del content['images'][2]['width']
    write(tmp_path / 'a', 'result.json', folder, content)
    prepare.main([str(tmp_path / 'a'), '--out', str(tmp_path / 'b')])
    found = CocoFolder(tmp_path / 'b', train='annotations/all.json').read('train')
    sizes = {(image['height'], image['width']) for image in found.dataset['images']}
    assert sizes == {(HEIGHT, WIDTH)}
    (tmp_path / f'a/{folder}/1.png').unlink()
    with pytest.raises(DataError, match=r"1 of its 3 images have no 'width'"):
        prepare.main([str(tmp_path / 'a')])


def test_a_coco_file_of_any_name_for_each_split(tmp_path):
    for split in ('train', 'val'):
        write(tmp_path, f'{split}/labels.json', f'{split}/data')
    checked = CocoFolder(tmp_path).check()
    for split in (checked.train, checked.val):
        assert split.boxes_per_class == {'cat': 2, 'dog': 2}
    assert checked.val.image_folder == tmp_path / 'val/data'


def test_a_name_that_leads_out_stands_for_one_file_alone(tmp_path):
    write(tmp_path, 'result.json', 'images', name='../upload/{}'.format)
    write_image(tmp_path / 'images/more/2.png')
    folder = CocoFolder(tmp_path, train='result.json')
    with pytest.raises(DataError, match=r'1 of its 3 images are missing in .*: \.\./upload/2\.png'):
        folder.read('train')
