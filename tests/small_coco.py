"""Tiny COCO folders with real image files."""

import copy
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, HEIGHT = 48, 32

CONTENT: dict[str, Any] = {
    'images': [
        {'id': number, 'file_name': f'{number}.png', 'width': WIDTH, 'height': HEIGHT}
        for number in (1, 2, 3)
    ],
    'categories': [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}],
    'annotations': [
        {
            'id': number,
            'image_id': image,
            'category_id': category,
            'bbox': box,
            'area': box[2] * box[3],
            'iscrowd': 0,
        }
        for number, image, category, box in (
            (1, 1, 1, [2, 3, 20, 10]),
            (2, 1, 2, [24, 8, 16, 20]),
            (3, 2, 1, [5, 5, 30, 20]),
            (4, 2, 2, [30, 0, 18, 32]),
        )
    ],
}
"""Two cats and two dogs on images 1 and 2; nothing on image 3."""


def coco_content() -> dict[str, Any]:
    """Return a copy of ``CONTENT`` that a test may modify."""
    return copy.deepcopy(CONTENT)


def write_coco(root: Path, content: Any = CONTENT, split: str = 'train') -> Path:
    """Write ``annotations/<split>.json`` and missing images; return the path of the JSON."""
    annotation_file = root / 'annotations' / f'{split}.json'
    annotation_file.parent.mkdir(parents=True, exist_ok=True)
    annotation_file.write_text(content if isinstance(content, str) else json.dumps(content))
    for number, image in enumerate(content['images'] if isinstance(content, dict) else ()):
        path = root / 'images' / image['file_name']
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (image['height'], image['width'], 3)
            pixels = np.random.default_rng(number).integers(0, 256, size, np.uint8)
            assert cv2.imwrite(str(path), pixels)
    return annotation_file
