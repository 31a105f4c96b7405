"""Crops of objects are cut where the boxes are, and lie in the folders that classifiers read."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rexdense.cli import prepare
from rexdense.cli.main import main as rexdense_main
from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.inspection.crops import MARGIN, write_crops
from rexdense.datasets.inspection.sources import read_box_splits
from rexdense.errors import DataError, IncompleteResults, InvalidArgument, UnwritableFile
from rexdense.files.hidden_files import LONGEST_NAME
from tests.config_kinds import ROOT
from tests.small_coco import HEIGHT, WIDTH, coco_content, write_coco


@pytest.fixture
def root(tmp_path):
    write_coco(tmp_path / 'data')
    return tmp_path / 'data'


def test_crops_are_the_pixels_of_their_boxes(root, tmp_path):
    splits = read_box_splits(root, 'coco')
    counts = write_crops(splits, tmp_path / 'crops')
    dataset = splits['train'].checked.dataset
    assert sum(counts['train'].values()) == len(dataset['annotations'])
    images = {image['id']: image['file_name'] for image in dataset['images']}
    names = {category['id']: category['name'] for category in dataset['categories']}
    for entry in dataset['annotations']:
        file_name = images[entry['image_id']]
        whole = np.asarray(Image.open(root / 'images' / file_name).convert('RGB'))
        x, y, width, height = entry['bbox']
        margin = MARGIN * max(width, height)
        rows = slice(max(int(np.floor(y - margin)), 0), int(np.ceil(y + height + margin)))
        columns = slice(max(int(np.floor(x - margin)), 0), int(np.ceil(x + width + margin)))
        stem = file_name.rsplit('.', 1)[0]
        path = tmp_path / 'crops/train' / names[entry['category_id']] / f'{stem}_{entry["id"]}.png'
        np.testing.assert_array_equal(np.asarray(Image.open(path)), whole[rows, columns])


def test_the_program_writes_what_a_classifier_reads(root, tmp_path, capsys):
    prepare.main([str(root), '--crops', str(tmp_path / 'crops')])
    assert f'{tmp_path / "crops"}: train has 2 cat, 2 dog' in capsys.readouterr().out
    dataset = ClassificationDataset(data_root=str(tmp_path / 'crops'), split='train')
    assert (len(dataset), list(dataset.metainfo['classes'])) == (4, ['cat', 'dog'])
    with pytest.raises(UnwritableFile, match='exists'):
        prepare.main([str(root), '--crops', str(tmp_path / 'crops')])
    with pytest.raises(InvalidArgument, match='--crops'):
        prepare.main([str(root), '--crops', str(tmp_path / 'a'), '--out', str(tmp_path / 'b')])
    with pytest.raises(InvalidArgument, match='would lie in the data'):
        prepare.main([str(root), '--crops', str(root / 'crops')])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda content: content['annotations'].clear(), 'has no object of at least 4 pixels'),
        (
            lambda content: [
                entry.update(bbox=[1, 1, 3, 3], area=9) for entry in content['annotations']
            ],
            'has no object of at least 4 pixels',
        ),
        (
            lambda content: [
                category.update(name=name)
                for category, name in zip(content['categories'], ('a/b', 'A_b'), strict=True)
            ],
            "the classes 'a/b', 'A_b' would share the folder 'a_b'",
        ),
        (
            lambda content: [
                category.update(name=name)
                for category, name in zip(content['categories'], ('\u00e9', 'e\u0301'), strict=True)
            ],
            'would share the folder',
        ),
    ],
)
def test_nothing_is_left_of_crops_that_cannot_be_cut(tmp_path, change, message):
    content = coco_content()
    change(content)
    write_coco(tmp_path / 'data', content)
    with pytest.raises(DataError, match=message):
        prepare.main([str(tmp_path / 'data'), '--crops', str(tmp_path / 'crops')])
    assert not (tmp_path / 'crops').exists()


def test_names_lead_nowhere_else(tmp_path):
    content = coco_content()
    content['categories'][0]['name'] = '../../out'
    write_coco(tmp_path / 'data', content)
    prepare.main([str(tmp_path / 'data'), '--crops', str(tmp_path / 'crops')])
    assert sorted(path.name for path in tmp_path.iterdir()) == ['crops', 'data']
    assert len(list((tmp_path / 'crops/train').iterdir())) == 2


@pytest.mark.parametrize('upright', [False, True])
def test_a_turned_image_is_cut_in_the_orientation_of_its_annotation(tmp_path, upright):
    content = coco_content()
    image, entry = content['images'][0], content['annotations'][0]
    image.update(file_name='turned.png')
    if upright:
        image.update(width=HEIGHT, height=WIDTH)
    entry.update(bbox=[2, 3, 10, 10], area=100)
    content.update(images=[image], annotations=[entry])
    stored = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    (tmp_path / 'data/images').mkdir(parents=True)
    Image.fromarray(stored).save(tmp_path / 'data/images/turned.png', exif=exif)
    write_coco(tmp_path / 'data', content)
    write_crops(read_box_splits(tmp_path / 'data', 'coco'), tmp_path / 'crops')
    annotated = np.rot90(stored, -1) if upright else stored
    (crop,) = (tmp_path / 'crops').rglob('*.png')
    np.testing.assert_array_equal(np.asarray(Image.open(crop)), annotated[2:14, 1:13])


def test_an_image_of_another_size_than_annotated_is_refused(tmp_path):
    write_coco(tmp_path / 'data')
    image = np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / 'data/images/1.png')
    with pytest.raises(DataError, match=r'1\.png is 96 x 64 pixels .* says 48 x 32'):
        write_crops(read_box_splits(tmp_path / 'data', 'coco'), tmp_path / 'crops')
    assert not (tmp_path / 'crops').exists()


def damage(path):
    path.write_bytes(path.read_bytes()[:40])


def enlarge(path):
    Image.fromarray(np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)).save(path)


UNUSABLE = [
    (damage, r'1 of 3 images left out: image \S*1\.png cannot be decoded'),
    (lambda path: path.write_bytes(b''), r'1 of 3 images left out: image \S*1\.png is empty'),
    (enlarge, r'1 of 3 images left out: image \S*1\.png is 96 x 64 pixels'),
    (lambda path: path.unlink(), r'1 of 3 images left out: image 1\.png is not there'),
]


@pytest.mark.parametrize(('spoil', 'message'), UNUSABLE)
def test_the_others_are_cut_where_an_image_cannot_be_used(root, tmp_path, spoil, message, capsys):
    spoil(root / 'images/1.png')
    with pytest.raises(IncompleteResults, match=f'^{message}') as caught:
        prepare.main([str(root), '--crops', str(tmp_path / 'crops')])
    assert caught.value.exit_status == 1
    assert f'{tmp_path / "crops"}: train has 1 cat, 1 dog' in capsys.readouterr().out
    written = sorted(path.name for path in (tmp_path / 'crops').rglob('*.png'))
    assert written == ['2_3.png', '2_4.png']


def test_the_program_tells_of_a_damaged_image_in_one_line(root, tmp_path):
    # OpenCV would have remarks on a PNG file without a header.
    (root / 'images/1.png').write_bytes(b'\x89PNG\r\n\x1a\n')
    command = [sys.executable, '-m', 'rexdense', 'prepare', root, '--crops', tmp_path / 'crops']
    found = os.environ | {'PYTHONPATH': str(ROOT)}
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=found)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith('rexdense prepare: error: 1 of 3 images left out: image ')


def test_a_call_from_python_keeps_its_environment(root, monkeypatch):
    for name in ('OPENCV_LOG_LEVEL', 'OPENCV_FFMPEG_LOGLEVEL'):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    rexdense_main(['prepare', str(root)])
    assert {name for name in os.environ if name.startswith('OPENCV')} <= set(before)


def test_no_crops_are_left_where_no_image_of_a_split_can_be_used(root, tmp_path):
    for number in (1, 2):
        damage(root / f'images/{number}.png')
    with pytest.raises(DataError, match=r'train has no object .* an image that can be used'):
        prepare.main([str(root), '--crops', str(tmp_path / 'crops')])
    assert not (tmp_path / 'crops').exists()


def test_ids_of_text_that_make_one_name_keep_a_crop_each(tmp_path):
    content = coco_content()
    ids = ['x/y', 'x_y', 'X_Y', 'z' * 300]
    for entry, given in zip(content['annotations'], ids, strict=True):
        entry['id'] = given
    write_coco(tmp_path / 'data', content)
    write_crops(read_box_splits(tmp_path / 'data', 'coco'), tmp_path / 'crops')
    names = [path.name.casefold() for path in (tmp_path / 'crops/train').rglob('*.png')]
    assert len(set(names)) == len(ids)


def test_hidden_and_long_names_become_those_that_a_classifier_reads(tmp_path):
    content = coco_content()
    for category, name in zip(content['categories'], ('.cat', '\u732b' * 100), strict=True):
        category['name'] = name
    for image, start in zip(content['images'], ('.', '\u732b' * 80), strict=False):
        image['file_name'] = start + image['file_name']
    write_coco(tmp_path / 'data', content)
    write_crops(read_box_splits(tmp_path / 'data', 'coco'), tmp_path / 'crops')
    dataset = ClassificationDataset(data_root=str(tmp_path / 'crops'), split='train')
    assert len(dataset) == len(content['annotations'])
    assert list(dataset.metainfo['classes']) == ['_.cat', '\u732b' * (LONGEST_NAME // 3)]


def test_crowds_are_left_out_and_large_boxes_are_cut(tmp_path):
    content = coco_content()
    content['annotations'][0].update(iscrowd=1)
    content['annotations'][1].update(bbox=[0, 0, WIDTH, HEIGHT], area=WIDTH * HEIGHT)
    write_coco(tmp_path / 'data', content)
    splits = read_box_splits(tmp_path / 'data', 'coco')
    counts = write_crops(splits, tmp_path / 'crops')
    assert sum(counts['train'].values()) == len(content['annotations']) - 1
    sizes = [Image.open(path).size for path in (tmp_path / 'crops/train').rglob('*.png')]
    assert max(sizes) == (WIDTH, HEIGHT)
