"""rexdense prepare, as the docs show it, and mistakes of its user."""

import json
import shlex
import zipfile

import cv2
import numpy as np
import pytest

pytest.importorskip('mmdet')

from rexdense.cli import prepare
from rexdense.datasets.coco.folder import CocoFolder
from tests.pages import ROOT, code_blocks, text_of
from tests.small_coco import coco_content, write_coco
from tests.small_formats import labelme_shape, write_labelme, write_voc, write_yolo


@pytest.fixture
def root(tmp_path):
    """A folder of which train has a box twice."""
    content = coco_content()
    content['annotations'].append({**content['annotations'][0], 'id': 5})
    write_coco(tmp_path / 'DIR', content)
    other = coco_content()
    for image in other['images']:
        image['file_name'] = f'v{image["file_name"]}'
    write_coco(tmp_path / 'DIR', other, 'val')
    # Of the same seeds, so of the same pixels.
    for number in (1, 2, 3):
        pixels = np.random.default_rng(10 + number).integers(0, 256, (32, 48, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'DIR/images/v{number}.png'), pixels)
    return tmp_path / 'DIR'


def test_the_commands_of_the_docs(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_yolo(tmp_path / 'YOLO')
    write_labelme(tmp_path / 'UNDIVIDED', [labelme_shape('rectangle', [[1, 1], [9, 9]])])
    write_labelme(tmp_path / 'UNDIVIDED', [labelme_shape('rectangle', [[1, 1], [9, 9]])], '2')
    with zipfile.ZipFile('EXPORT.zip', 'w') as archive:
        for path in sorted(root.rglob('*.*')):
            archive.write(path, f'export/{path.relative_to(root)}')
    blocks = code_blocks(text_of(ROOT / 'docs/prepare.md'), '')
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 5
    for command in commands:
        program, name, *arguments = shlex.split(command)
        assert (program, name) == ('rexdense', 'prepare')
        prepare.main(arguments)
    output = capsys.readouterr().out
    double = 'double box of one class, IoU over 0.8:\n  train 1.png: annotations 1 and 5, cat'
    assert output.count(double) == 3  # DIR, its copy and its archive are looked at
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['splits']['train']['classes'] == {'cat': 3, 'dog': 2}
    assert [each['annotations'] for each in report['suspicious']] == [[1, 5]]
    picture = cv2.imread('report.png')
    assert picture.shape[0] > 600 and picture.shape[1] >= 1480 and picture.min() < 100
    for folder in ('FIXED', 'COCO', 'UNPACKED/export', 'DIVIDED'):
        checked = CocoFolder(tmp_path / folder).check()
        assert len(checked.train.dataset['images']) == (1 if folder == 'DIVIDED' else 3)
    fixed = json.loads((tmp_path / 'FIXED/annotations/train.json').read_text())
    assert [entry['id'] for entry in fixed['annotations']] == [1, 2, 3, 4]


def test_pictures_of_label_maps_and_of_classes(label_maps, image_folder, tmp_path, capsys):
    for place, kind in ((label_maps, 'label maps'), (image_folder, 'classes')):
        picture = tmp_path / f'{kind}.png'
        prepare.main([str(place), '--picture', str(picture)])
        assert f'{place} holds {kind}.' in capsys.readouterr().out
        assert cv2.imread(str(picture)).shape[1] >= 1480


@pytest.mark.parametrize('write', [write_voc, write_yolo])
def test_forms_are_recognised(tmp_path, capsys, write):
    prepare.main([str(write(tmp_path / 'set'))])
    assert f'in the form {write.__name__[6:]}.' in capsys.readouterr().out


def test_a_picture_of_boxes_beside_damaged_masks(tmp_path, capsys):
    content = coco_content()
    for entry in content['annotations'][:2]:
        entry['segmentation'] = dict(size=[32, 48], counts='b23U')
    write_coco(tmp_path / 'DIR', content)
    prepare.main([str(tmp_path / 'DIR'), '--picture', str(tmp_path / 'a.png')])
    assert cv2.imread(str(tmp_path / 'a.png')).shape[0] > 600
