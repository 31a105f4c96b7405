"""Tiny data sets in formats other than COCO, with two cats and two dogs as in ``small_coco``."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.small_coco import CONTENT, HEIGHT, WIDTH

CLASSES = ('cat', 'dog')
STEMS = ('1', '2', '3')


def boxes_of(stem: str) -> list[tuple[str, list[int]]]:
    """Return the class and [left, top, width, height] of each object in an image."""
    return [
        (CLASSES[entry['category_id'] - 1], entry['bbox'])
        for entry in CONTENT['annotations']
        if entry['image_id'] == int(stem)
    ]


def write_image(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def voc_xml(objects: Sequence[tuple[str, list[int]]], more: str = '', size: bool = True) -> str:
    parts = []
    for name, (left, top, width, height) in objects:
        corners = dict(xmin=left + 1, ymin=top + 1, xmax=left + width, ymax=top + height)
        box = ''.join(f'<{key}>{value}</{key}>' for key, value in corners.items())
        parts.append(f'<object><name>{name}</name>{more}<bndbox>{box}</bndbox></object>')
    sides = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>' if size else ''
    return f'<annotation><filename>x.png</filename>{sides}{"".join(parts)}</annotation>'


def write_voc(root: Path) -> Path:
    """Write ``Annotations``, ``JPEGImages`` and the lists train and val, both with all images."""
    for stem in STEMS:
        write_image(root / f'JPEGImages/{stem}.png', int(stem))
        path = root / f'Annotations/{stem}.xml'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voc_xml(boxes_of(stem)))
    for split in ('train', 'val'):
        path = root / f'ImageSets/Main/{split}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'{stem}\n' for stem in STEMS))
    return root


def yolo_row(name: str, box: Sequence[float]) -> str:
    left, top, width, height = box
    x, y = (left + width / 2) / WIDTH, (top + height / 2) / HEIGHT
    return f'{CLASSES.index(name)} {x} {y} {width / WIDTH} {height / HEIGHT}'


def write_yolo(root: Path, images: str = '{}/images', labels: str = '{}/labels') -> Path:
    for split in ('train', 'val'):
        for stem in STEMS:
            write_image(root / images.format(split) / f'{stem}.png', int(stem))
            path = root / labels.format(split) / f'{stem}.txt'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('\n'.join(yolo_row(*each) for each in boxes_of(stem)))
    (root / 'data.yaml').write_text('train: ../train/images\nnc: 2\nnames: [cat, dog]\n')
    return root


def labelme_shape(kind: str, points: list, label: str = 'cat', **more) -> dict:
    return dict(label=label, points=points, shape_type=kind, group_id=None, flags={}) | more


def write_labelme(root: Path, shapes: Sequence[dict], stem: str = '1', **more) -> Path:
    write_image(root / f'{stem}.png', int(stem))
    content = dict(version='5.5.0', flags={}, shapes=list(shapes), imagePath=f'..\\x\\{stem}.png')
    content |= dict(imageData=None, imageHeight=HEIGHT, imageWidth=WIDTH) | more
    (root / f'{stem}.json').write_text(json.dumps(content))
    return root


def png_text(mask: np.ndarray) -> str:
    _, data = cv2.imencode('.png', mask.astype(np.uint8) * 255)
    return base64.b64encode(data.tobytes()).decode()
