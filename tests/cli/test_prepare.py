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
from rexdense.errors import RexdenseError
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


def section(page, title):
    text = text_of(ROOT / page)
    start = text.index(f'### {title}\n')
    return text[start : text.index('\n##', start + 4)]


def test_the_commands_of_the_docs(root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_yolo(tmp_path / 'YOLO')
    write_labelme(tmp_path / 'UNDIVIDED', [labelme_shape('rectangle', [[1, 1], [9, 9]])])
    write_labelme(tmp_path / 'UNDIVIDED', [labelme_shape('rectangle', [[1, 1], [9, 9]])], '2')
    with zipfile.ZipFile('EXPORT.zip', 'w') as archive:
        for path in sorted(root.rglob('*.*')):
            archive.write(path, f'export/{path.relative_to(root)}')
    blocks = code_blocks(section('docs/detection.md', 'Look through the data first'), '')
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


MISTAKES = [
    (['nowhere'], 'nowhere is not there; give the folder of the data, or a zip file'),
    (['EMPTY'], r'EMPTY is of no known form \(it is empty\): looked for COCO annotations'),
    (['DIR/annotations/train.json'], 'is a file; give the folder'),
    (['DIR', '--convert', 'yolo'], 'is not laid out as YOLO does it'),
    (['DIR', '--convert', 'voc'], 'is not laid out as Pascal VOC'),
    (['DIR', '--convert', 'labelme', '--out', 'X'], 'nothing of all can be read'),
    (['DIR', '--convert', 'masks', '--out', 'X'], 'has no masks'),
    (['DIR', '--convert', 'coc'], 'invalid choice'),
    (['DIR', '--out', 'X', '--write-fixed', 'Y'], 'give one'),
    (['DIR', '--val-share', '0.2'], '--val-share goes with --out or --write-fixed'),
    (['DIR', '--val-share', '0.2', '--out', 'X'], 'divides a folder without splits'),
    (['DIR', '--val-share', '1', '--out', 'X'], 'a number between 0 and 1'),
    (['DIR', '--json', 'DIR/report.json'], 'would lie in the data'),
    (['DIR', '--write-fixed', 'DIR/fixed'], 'would lie in the data'),
    (['DIR', '--write-fixed', 'OTHER'], 'OTHER exists: choose another folder'),
    (['DIR', '--json', 'OTHER/a.txt'], r'a\.txt exists'),
    (['DIR', '--write-fixed', 'X', '--json', 'X/report.json'], 'would lie in X, a new folder'),
    (['DIR', '--json', 'a.png', '--picture', './a.png'], '--json and --picture are both a.png'),
    (['C.zip', '--unpack', 'X', '--json', 'C.zip', '--overwrite'], r'C\.zip is read by this comm'),
    (['DIR', '--picture', 'a.doc'], 'a picture ends in one of'),
    (['DIR', '--unpack', 'X'], '--unpack goes with a zip file'),
    (['A.zip'], 'is a zip file: name a new folder for it with --unpack'),
    (['A.zip', '--unpack', 'X'], 'is no zip file or is damaged'),
    (['B.zip', '--unpack', 'X'], 'is not there; give a zip file'),
    (['TORN'], 'is cut off at line 1'),
    (['LIST'], 'is not COCO: its JSON is a list'),
    (['BARE'], 'its list of categories is empty'),
]


@pytest.mark.parametrize(('arguments', 'expected'), MISTAKES, ids=lambda each: ' '.join(each)[:40])
def test_mistakes_end_in_one_line_and_leave_nothing(
    root, tmp_path, monkeypatch, arguments, expected
):
    monkeypatch.chdir(tmp_path)
    for folder in ('EMPTY', 'OTHER'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'OTHER/a.txt').write_text('mine')
    (tmp_path / 'A.zip').write_text('no zip')
    with zipfile.ZipFile(tmp_path / 'C.zip', 'w') as archive:
        archive.write(root / 'annotations/train.json', 'annotations/train.json')
    for name, text in (('TORN', '{"images": ['), ('LIST', '[]')):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'result.json').write_text(text)
    bare = {'images': coco_content()['images'], 'categories': [], 'annotations': []}
    write_coco(tmp_path / 'BARE', bare)
    before = sorted(tmp_path.rglob('*'))
    with pytest.raises(RexdenseError, match=expected) as caught:
        prepare.main(arguments)
    assert '\n' not in str(caught.value)
    assert sorted(tmp_path.rglob('*')) == before
    assert (tmp_path / 'OTHER/a.txt').read_text() == 'mine'
