"""The folder in which the commands of the table are run, and what their short words stand for."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import rexdense
from rexdense.datasets.shapes import SHAPE_CLASSES
from tests.small_classification import CLASSES as COLOURS
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.small_classification import NARROW, write_classification, write_images
from tests.small_coco import coco_content, write_coco
from tests.small_segmentation import CLASSES as ANIMALS
from tests.small_segmentation import label_map, write_labels, write_segmentation
from tests.small_videos import cut, write_frames
from tests.tiny_run import CONFIG, FEW_REGIONS, ROOT, SEGMENTATION_CONFIG
from tests.untrained import DEPTH_CONFIG

__all__ = ['WORDS', 'make_world']

_TEXT = 'shapes-text'
WORDS = {
    'DETECTOR': [str(ROOT / CONFIG)],
    'SEGMENTOR': [str(ROOT / SEGMENTATION_CONFIG)],
    'CLASSIFIER': [str(ROOT / CLASSIFICATION_CONFIG)],
    'DEPTH': [str(ROOT / DEPTH_CONFIG)],
    'WEIGHTS': ['files/weights.pth'],
    'NARROW': [NARROW],
    'RUN': ['--work-dir', 'run', '--device', 'cpu', '--workers', '0', '--scale', '64,64'],
    'SMALL': [
        *('--work-dir', 'run', '--device', 'cpu', '--workers', '0', '--scale', '32,32'),
        *('--batch-size', '4'),
    ],
    # The data are named by the config.
    'HERE': [
        '--cfg-options',
        *FEW_REGIONS,
        f'train_dataloader.dataset.data_root={_TEXT}',
        f'val_dataloader.dataset.data_root={_TEXT}',
        f'val_evaluator.ann_file={_TEXT}/annotations/val.json',
        'model.roi_head.bbox_head.num_classes=6',
    ],
}


class _Code:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple:
        return Path.mkdir, (Path('unpickled'),)


def make_world(root: Path, shapes: Path, untrained: dict[str, Path]) -> Path:
    """Write all that the commands of the table read, and return the folder."""
    _boxes(root, shapes)
    _classes(root)
    _lists(root)
    _maps(root)
    _files(root / 'files', untrained)
    _others(root)
    return root


def _copies(source: Path, spoils: dict[str, Callable[[Path], Any]]) -> None:
    """Copy a folder beside itself under longer names, and spoil each copy."""
    for name, spoil in spoils.items():
        spoil(shutil.copytree(source, source.with_name(f'{source.name}-{name}')))


def _text(name: str) -> Callable[[Path], Any]:
    return lambda root: (root / name).write_text('no image')


def _cut(name: str) -> Callable[[Path], Any]:
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:900])


def _enlarged(split: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        file = root / f'annotations/{split}.json'
        content = json.loads(file.read_text())
        content['images'][1].update(width=80, height=48)
        file.write_text(json.dumps(content))

    return spoil


def _boxes(root: Path, shapes: Path) -> None:
    shutil.copytree(
        shapes, root / 'shapes', ignore=shutil.ignore_patterns('crops', 'labels', 'depth')
    )
    first = 'images/val/000001.png'
    _copies(
        root / 'shapes',
        {
            'cut': _cut(first),
            'text': _text(first),
            'val': _enlarged('val'),
            'train': _enlarged('train'),
            'none': lambda copy: [
                path.write_text('no image') for path in (copy / 'images/train').iterdir()
            ],
        },
    )
    for split in ('train', 'val'):
        write_coco(root / 'coco', split=split)
    twice = coco_content()
    twice['annotations'][1]['id'] = 1
    file = 'annotations/train.json'
    _copies(
        root / 'coco',
        {
            'none': lambda copy: (copy / file).unlink(),
            'cut': lambda copy: (copy / file).write_text((copy / file).read_text()[:200]),
            'list': lambda copy: (copy / file).write_text('[1, 2]'),
            'twice': lambda copy: write_coco(copy, twice),
            'binary': lambda copy: (copy / file).write_bytes(bytes(range(256))),
            'missing': lambda copy: [(copy / f'images/{name}.png').unlink() for name in (1, 3)],
        },
    )


def _classes(root: Path) -> None:
    write_classification(root / 'folders')
    _copies(
        root / 'folders',
        {
            'no-train': lambda copy: shutil.rmtree(copy / 'train'),
            'no-classes': lambda copy: [shutil.rmtree(path) for path in (copy / 'train').iterdir()],
            'no-images': lambda copy: [path.unlink() for path in (copy / 'train').rglob('*.png')],
            'no-red': lambda copy: [path.unlink() for path in (copy / 'train/red').iterdir()],
            'one': lambda copy: [
                shutil.rmtree(copy / split / name)
                for name in ('red', 'green')
                for split in ('train', 'val')
            ],
            'white': lambda copy: write_images(copy / 'val/white', 1, (250, 250, 250)),
        },
    )


def _lists(root: Path) -> None:
    for name, lines in {
        'seven': ('0.png 0', '1.png 7'),
        'absent': ('0.png 0', 'x.png 1'),
        'rod': ('0.png blue', '1.png rod'),
        'short': ('0.png',),
        'none': ('image,class',),
    }.items():
        folder = shutil.copytree(root / 'folders/val', root / f'list-{name}/val').parent
        for number, colour in enumerate(((30, 30, 200), (200, 30, 30))):
            write_images(folder / 'colours', 1, colour)
            (folder / 'train').mkdir(exist_ok=True)
            (folder / 'colours/0.png').rename(folder / f'train/{number}.png')
        file = 'train.csv' if name == 'none' else 'train.txt'
        (folder / file).write_text('\n'.join(lines) + '\n')
        (folder / 'classes.txt').write_text('\n'.join(COLOURS) + '\n')


def _maps(root: Path) -> None:
    write_segmentation(root / 'maps')
    label = 'labels/train/0.png'
    _copies(
        root / 'maps',
        {
            'no-names': lambda copy: (copy / 'classes.txt').unlink(),
            'empty-names': lambda copy: (copy / 'classes.txt').write_text('\n'),
            'no-labels': lambda copy: shutil.rmtree(copy / 'labels'),
            'one-missing': lambda copy: (copy / label).unlink(),
            'seven': lambda copy: write_labels(copy / label, label_map(0) * 0 + 7),
            'sizes': lambda copy: write_labels(copy / label, label_map(0)[:-9]),
            'text': _text(label),
        },
    )


def _files(folder: Path, untrained: dict[str, Path]) -> None:
    """Checkpoints: of the models that nobody has trained, and what is none."""
    folder.mkdir()
    for name, classes in (('boxes', None), ('labels', ANIMALS), ('class', COLOURS)):
        content = torch.load(untrained[name], weights_only=True)
        if classes:
            content['meta']['dataset_meta'] = dict(classes=classes)
        torch.save(content, folder / f'{name}.pth')
    content = torch.load(untrained['boxes'], weights_only=True)
    content['meta']['dataset_meta'] = dict(classes=SHAPE_CLASSES)
    torch.save(content, folder / 'shapes.pth')
    torch.manual_seed(0)
    state = rexdense.create_classifier('rexnet_1.0', 7).state_dict()
    torch.save(state, folder / 'weights.pth')
    state['stem.conv.weight' if 'stem.conv.weight' in state else next(iter(state))][0] = torch.nan
    torch.save(state, folder / 'nan.pth')
    torch.save({'layer.weight': torch.zeros(2, 2)}, folder / 'stranger.pth')
    torch.save({'state_dict': _Code()}, folder / 'code.pth')
    (folder / 'text.pth').write_text('no checkpoint\n')
    (folder / 'empty.pth').touch()
    (folder / 'deep.json').write_text('[' * 10**5)
    (folder / 'cut.pth').write_bytes((folder / 'class.pth').read_bytes()[:-5000])
    # A tensor of a terabyte, of which nothing is there.
    header = json.dumps({'a': {'dtype': 'F32', 'shape': [2**38], 'data_offsets': [0, 2**40]}})
    head = struct.pack('<Q', len(header)) + header.encode()
    (folder / 'claims.safetensors').write_bytes(head)


def _others(root: Path) -> None:
    for name in ('empty', 'taken', 'images', 'films', 'configs', 'zips', 'foreign', 'earlier'):
        (root / name).mkdir()
    for name in ('mine.txt', 'mine.png', 'mine.json', 'mine.pth', 'taken/mine.txt'):
        (root / name).write_text('mine')
    (root / 'foreign/curves.png').write_text('mine')
    (root / 'earlier/epoch_1.pth').write_text('precious')
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    cv2.imwrite(str(root / 'images/0.png'), pixels)
    write_frames(root / 'films/whole.avi', 2)
    cut(write_frames(root / 'films/cut.avi', 20), 0.05)
    (root / 'films/text.avi').write_text('no video')
    (root / 'films/empty.avi').touch()
    (root / 'configs/torn.py').write_text('model = dict(\n')
    (root / 'configs/raising.py').write_text("raise ValueError('wrong')\n")
    (root / 'configs/orphan.py').write_text("_base_ = './nowhere.py'\n")
    (root / 'configs/index.py').write_text('model = [1][5]\n')
    (root / 'configs/bare.py').write_text('number = 1\n')
    (root / 'configs/binary.py').write_bytes(b'\x80\x00\xff')
    (root / 'zips/text.zip').write_text('no zip')
    for name, member in (('whole', 'annotations/train.json'), ('out', '../train.json')):
        with zipfile.ZipFile(root / f'zips/{name}.zip', 'w') as archive:
            archive.write(root / 'coco/annotations/train.json', member)
    for name, text in (('torn', '{"images": ['), ('list', '[]')):
        (root / name).mkdir()
        (root / name / 'result.json').write_text(text)
    bare = {'images': coco_content()['images'], 'categories': [], 'annotations': []}
    write_coco(root / 'bare', bare)
