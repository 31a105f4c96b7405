"""Folders as Roboflow, CVAT and Label Studio write them."""

import json

import pytest

from rexdense.datasets.coco.folder import CocoFolder
from rexdense.errors import DataError
from tests.small_coco import coco_content
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


def test_a_name_that_leads_out_stands_for_one_file_alone(tmp_path):
    write(tmp_path, 'result.json', 'images', name='../upload/{}'.format)
    write_image(tmp_path / 'images/more/2.png')
    folder = CocoFolder(tmp_path, train='result.json')
    with pytest.raises(DataError, match=r'1 of its 3 images are missing in .*: \.\./upload/2\.png'):
        folder.read('train')
