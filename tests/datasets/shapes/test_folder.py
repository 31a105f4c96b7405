"""The Shapes dataset as a folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rexdense.datasets import SHAPE_CLASSES, make_shapes
from rexdense.datasets.shapes import CROP_SIZE, SPLITS, draw_crop, draw_scene, writing
from rexdense.errors import DataError, InvalidArgument, UnwritableFile
from tests.folder_contents import contents

cv2 = pytest.importorskip('cv2')
coco_mask = pytest.importorskip('pycocotools.mask')
from pycocotools.coco import COCO  # noqa: E402

COUNTS = {'train': 6, 'val': 3}
SETTINGS = {**COUNTS, 'size': (72, 96), 'seed': 5}
SMALLEST = {'train': 1, 'val': 1, 'size': (32, 32)}
PICTURES = [(split, index) for split in SPLITS for index in range(COUNTS[split])]


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_shapes(tmp_path_factory.mktemp('data') / 'shapes', **SETTINGS)


@pytest.fixture(scope='module')
def annotations(root):
    return {split: COCO(root / 'annotations' / f'{split}.json') for split in SPLITS}


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return image[..., ::-1] if image.ndim == 3 else image


@pytest.mark.parametrize(('split', 'index'), PICTURES)
def test_files_hold_the_drawn_scene(root, split, index):
    scene = draw_scene(SETTINGS['seed'], split, index, *SETTINGS['size'])
    name = f'{split}/{index:06d}.png'
    np.testing.assert_array_equal(read(root / 'images' / name), scene.image)
    np.testing.assert_array_equal(read(root / 'labels' / name), scene.semantic)
    np.testing.assert_array_equal(read(root / 'depth' / name), scene.depth)


@pytest.mark.parametrize(('split', 'index'), PICTURES)
def test_annotations_agree_with_the_label_map(root, annotations, split, index):
    coco = annotations[split]
    (image,) = (entry for entry in coco.dataset['images'] if entry['id'] == index + 1)
    labels = read(root / 'labels' / image['file_name'])
    assert image['file_name'] == f'{split}/{index:06d}.png'
    assert (image['height'], image['width']) == labels.shape == SETTINGS['size']
    seen_by = np.zeros(labels.shape, int)
    from_masks = np.zeros_like(labels)
    for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image['id'])):
        mask = coco.annToMask(annotation).astype(bool)
        seen_by += mask
        from_masks[mask] = annotation['category_id']
        assert annotation['area'] == mask.sum()
        assert annotation['bbox'] == coco_mask.toBbox(annotation['segmentation']).tolist()
        assert annotation['iscrowd'] == 0
    assert seen_by.max() == 1, 'visible masks do not overlap'
    np.testing.assert_array_equal(from_masks, labels)


@pytest.mark.parametrize('split', SPLITS)
def test_ids_count_from_one(annotations, split):
    dataset = annotations[split].dataset
    assert [image['id'] for image in dataset['images']] == list(range(1, COUNTS[split] + 1))
    count = len(dataset['annotations'])
    assert [entry['id'] for entry in dataset['annotations']] == list(range(1, count + 1))
    categories = [(category['id'], category['name']) for category in dataset['categories']]
    assert categories == list(enumerate(SHAPE_CLASSES, start=1))


def test_classes_name_the_labels(root):
    assert (root / 'classes.txt').read_text().splitlines() == ['background', *SHAPE_CLASSES]


@pytest.mark.parametrize('class_name', SHAPE_CLASSES)
@pytest.mark.parametrize('split', SPLITS)
def test_every_class_has_crops(root, split, class_name):
    crops = sorted((root / 'crops' / split / class_name).iterdir())
    assert [crop.name for crop in crops] == [f'{i:06d}.png' for i in range(COUNTS[split])]
    for index, crop in enumerate(crops):
        expected = draw_crop(SETTINGS['seed'], split, class_name, index)
        np.testing.assert_array_equal(read(crop), expected)
        assert expected.shape == (CROP_SIZE, CROP_SIZE, 3)


def test_settings_are_recorded(root):
    assert json.loads((root / 'dataset.json').read_text()) == {
        'name': 'Shapes',
        'version': writing.VERSION,
        'seed': 5,
        'train': 6,
        'val': 3,
        'size': [72, 96],
        'classes': list(SHAPE_CLASSES),
        'crop_size': CROP_SIZE,
        'depth': {'unit': 'millimetre', 'units_per_metre': 1000},
    }


def test_a_longer_set_starts_with_the_shorter(root, tmp_path):
    shorter = contents(make_shapes(tmp_path / 'shorter', **{**SETTINGS, 'train': 2, 'val': 1}))
    longer = contents(root)
    pictures = [name for name in shorter if name.endswith('.png')]
    assert len(pictures) == (2 + 1) * (3 + len(SHAPE_CLASSES))
    assert all(shorter[name] == longer[name] for name in pictures)


def test_a_complete_set_is_left_alone(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    assert make_shapes(root, **SETTINGS) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob('*')} == before


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'train': 7},
            r'holds Shapes with train 6, but asked for was train 7; delete it or choose',
        ),
        ({'size': (96, 72)}, r'size \[72, 96\], but asked for was size \[96, 72\]'),
        ({'seed': 6, 'val': 2}, r'seed 5, val 3, but asked for was seed 6, val 2'),
    ],
)
def test_other_settings_are_refused(root, change, message):
    before = contents(root)
    with pytest.raises(DataError, match=message):
        make_shapes(root, **{**SETTINGS, **change})
    assert contents(root) == before


@pytest.mark.parametrize('lost', ['depth/val/000000.png', 'annotations/train.json', 'classes.txt'])
def test_an_incomplete_set_is_refused(tmp_path, lost):
    root = make_shapes(tmp_path / 'shapes', **SMALLEST)
    (root / lost).unlink()
    with pytest.raises(DataError, match=rf'1 files? missing, such as {lost}; delete it or choose'):
        make_shapes(root, **SMALLEST)


@pytest.mark.parametrize(
    'content',
    [None, '', '[]', '{"name": "Others"}', '{"name"', pytest.param('[' * 10**5, id='deep')],
)
def test_a_folder_of_something_else_is_refused(tmp_path, content):
    (tmp_path / 'notes.txt').write_text('mine')
    if content is not None:
        (tmp_path / 'dataset.json').write_text(content)
    before = contents(tmp_path)
    with pytest.raises(DataError, match='is no Shapes dataset; choose another folder'):
        make_shapes(tmp_path, **SMALLEST)
    assert contents(tmp_path) == before


def test_an_empty_folder_is_filled(tmp_path):
    assert (make_shapes(tmp_path, **SMALLEST) / 'dataset.json').is_file()


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / 'shapes').write_text('mine')
    with pytest.raises(DataError, match='is no Shapes dataset'):
        make_shapes(tmp_path / 'shapes', **SMALLEST)
    with pytest.raises(UnwritableFile, match=r'below cannot be written \(Not a directory\): cho'):
        make_shapes(tmp_path / 'shapes' / 'below', **SMALLEST)
    assert contents(tmp_path) == {'shapes': b'mine'}


@pytest.mark.parametrize('failure', [KeyboardInterrupt(), OSError(28, 'No space left on device')])
def test_an_interrupted_set_leaves_nothing(tmp_path, monkeypatch, failure):
    written = []

    def fail_at_the_fifth(image):
        written.append(image)
        if len(written) == 5:
            raise failure
        return b''

    monkeypatch.setattr(writing, 'encode_png', fail_at_the_fifth)
    with pytest.raises(type(failure)):
        make_shapes(tmp_path / 'shapes', **SMALLEST)
    assert len(written) == 5 and not list(tmp_path.iterdir())


def test_two_processes_may_write_the_same_set(tmp_path, monkeypatch):
    write = writing._write

    def other_was_faster(write_file, settings):
        monkeypatch.setattr(writing, '_write', write)
        make_shapes(tmp_path / 'shapes', **SMALLEST)
        write(write_file, settings)

    monkeypatch.setattr(writing, '_write', other_was_faster)
    root = make_shapes(tmp_path / 'shapes', **SMALLEST)
    assert [path.name for path in tmp_path.iterdir()] == ['shapes']
    assert make_shapes(root, **SMALLEST) == root


@pytest.mark.skipif(os.name != 'posix', reason='file modes')
def test_others_may_read_the_set(root):
    mask = os.umask(0)
    os.umask(mask)
    assert root.stat().st_mode & 0o777 == 0o777 & ~mask


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'train': 0}, r'train=0: give a whole number from 1 to 999999'),
        ({'val': -1}, r'val=-1: give'),
        ({'train': 2.5}, r'train=2\.5: give'),
        ({'size': (16, 160)}, r'height=16: give a whole number from 32 to 1024'),
        ({'size': (160, 5000)}, r'width=5000: give'),
        ({'size': 160}, r'size=160: give \(height, width\)'),
        ({'seed': -3}, r'seed=-3: give a whole number from 0'),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(InvalidArgument, match=message):
        make_shapes(tmp_path / 'shapes', **{**SMALLEST, **change})
    assert not list(tmp_path.iterdir())


TOOL = Path(__file__).parents[3] / 'tools' / 'make_shapes.py'


@pytest.fixture(scope='module')
def tool():
    from rexdense.cli import shapes

    return shapes


def test_tool_writes_the_same_set(root, tmp_path, tool, capsys):
    tool.main([str(tmp_path / 'set'), '--train=6', '--val=3', '--size=96,72', '--seed=5'])
    written = tmp_path / 'set'
    assert capsys.readouterr().out == f'Shapes: 6 train and 3 val pictures in {written}\n'
    assert contents(written) == contents(root)


def test_tool_has_the_defaults_of_the_function(tool, monkeypatch):
    seen = {}
    monkeypatch.setattr(tool, 'make_shapes', lambda **options: seen.update(options))
    tool.main(['folder'])
    assert seen == {'root': 'folder', **make_shapes.__kwdefaults__}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--size', '160'], "'160' is no size: give width,height in pixels"),
        (['--train', '0'], 'train=0: give a whole number'),
        (['--train', 'many'], "invalid int value: 'many'"),
        (['--sede', '1'], '--seed'),
    ],
)
def test_tool_names_the_mistake(tmp_path, tool, arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        tool.main([str(tmp_path / 'set'), *arguments])
    assert not list(tmp_path.iterdir())


def test_tool_ends_in_one_line(tmp_path):
    command = [sys.executable, str(TOOL), str(tmp_path / 'set'), '--val=0']
    environment = {**os.environ, 'PYTHONPATH': str(TOOL.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, '')
    expected = 'rexdense shapes: error: val=0: give a whole number from 1 to 999999\n'
    assert done.stderr == expected
    assert not list(tmp_path.iterdir())


def test_importing_datasets_is_cheap():
    program = 'import sys, rexdense.datasets; print(*sys.modules)'
    root = Path(__file__).parents[3]
    command = [sys.executable, '-c', program]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert 'rexdense.datasets' in loaded
    assert not loaded & {'numpy', 'torch', 'mmengine', 'mmcv', 'mmdet', 'cv2'}
