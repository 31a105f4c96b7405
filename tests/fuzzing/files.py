"""Readers of files, each beside whole files of its kind, to be given damaged ones."""

import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image

from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.formats.mindspore_ckpt import write_mindspore
from rexdense.checkpoint.formats.safetensors_files import write_safetensors
from rexdense.datasets.coco.annotations import read_annotations
from rexdense.datasets.formats.voc import read_voc
from rexdense.datasets.images.files import read_upright
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.segmentation.class_list import read_class_list
from rexdense.datasets.segmentation.label_maps import check_labels, read_label_map
from tests.fuzzing.damage import damaged, damaged_json
from tests.small_coco import HEIGHT, WIDTH, coco_content
from tests.small_formats import boxes_of, voc_xml

__all__ = ['FILES', 'FileTarget']


class FileTarget(NamedTuple):
    """A reader and what it reads.

    Attributes:
        name: Of the file.
        wholes: Returns contents of whole files.
        read: Reads a file; what cannot be read is refused with a RexdenseError.
        tokens: What such files are made of.
    """

    name: str
    wholes: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    tokens: Sequence[bytes] = ()

    def case(self, folder: Path, draw: random.Random) -> Callable[[], object]:
        """Write a damaged file, and return what reads it."""
        path = folder / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(damaged(draw.choice(self.wholes()), draw, self.tokens))
        return partial(self.read, path)


class _CocoTarget(NamedTuple):
    """COCO files of which single values are damaged, and that stay JSON."""

    def case(self, folder: Path, draw: random.Random) -> Callable[[], object]:
        content = coco_content()
        for entry in content['annotations'][:2]:
            left, top, width, height = entry['bbox']
            corners = [left, top, left + width, top, left + width, top + height]
            entry['segmentation'] = [list(map(float, corners))]
        content['annotations'][2]['segmentation'] = {
            'size': [HEIGHT, WIDTH],
            'counts': [9, 9, 1518],
        }
        path = folder / 'annotations.json'
        path.write_text(json.dumps(damaged_json(content, draw), default=repr))
        return partial(read_annotations, path)


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


@cache
def _checkpoints(kind: str) -> list[bytes]:
    tensors = {'a.weight': torch.ones(3, 4), 'a.bias': torch.ones(3), 'n': torch.tensor(5)}
    more = {**tensors, 'b.weight': torch.ones(2, 2).half(), 'empty': torch.ones(0, 3)}
    content = {'state_dict': tensors, 'meta': {'epoch': 1, 'cfg': 'model = dict()'}}
    write = {
        'MindSpore': lambda each, file: write_mindspore(each, file),
        'safetensors': lambda each, file: write_safetensors(each, {'run': '{"a": 1}'}, file),
        'pickle': lambda each, file: torch.save(
            content, file, _use_new_zipfile_serialization=len(each) > 3
        ),
    }[kind]
    return [_written(partial(write, each)) for each in (tensors, more)]


@cache
def _images(ending: str) -> list[bytes]:
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (9, 13, 3), np.uint8), draw.integers(0, 256, (4, 5), np.uint8)]
    found = [cv2.imencode(ending, image)[1].tobytes() for image in images]
    if ending == '.png':
        # A claim of 65535 x 65535 pixels of a single colour, whose content is a few bytes.
        head = struct.pack('>IIBBBBB', 65535, 65535, 8, 2, 0, 0, 0)
        parts = [(b'IHDR', head), (b'IDAT', zlib.compress(bytes(9))), (b'IEND', b'')]
        found.append(
            b'\x89PNG\r\n\x1a\n'
            + b''.join(
                struct.pack('>I', len(body))
                + kind
                + body
                + struct.pack('>I', zlib.crc32(kind + body))
                for kind, body in parts
            )
        )
    return found


def _read_image(path: Path) -> None:
    with path.open('rb') as file:
        header = read_header(file)
    image = read_upright(path)
    # What is decoded is what the header said.
    assert header is None or header.upright_size == image.shape[:2], (header, image.shape)


@cache
def _label_maps() -> list[bytes]:
    labels = np.random.default_rng(0).choice(np.array([0, 1, 2, 255], np.uint8), (9, 13))
    pictures = [Image.fromarray(labels) for _ in range(3)]
    pictures[1].putpalette([value for value in range(256) for _ in range(3)])
    pictures[2] = Image.fromarray(labels == 1)
    return [_written(partial(picture.save, format='PNG')) for picture in pictures]


def _read_labels(path: Path) -> None:
    check_labels(read_label_map(path), 3, path)


def _voc() -> list[bytes]:
    return [
        voc_xml(boxes_of('1')).encode(),
        voc_xml(boxes_of('2'), '<difficult>1</difficult><truncated>0</truncated>').encode(),
    ]


def _classes() -> list[bytes]:
    return [
        b'background\ncat\ndog\n',
        b'# names\nname,r,g,b\nroad,1,2,3\nsky,4,5,6\n',
        b'0 road\n1 sky\n2 car 9 9 9\n',
    ]


_NUMBERS = (b'-1', b'0', b'1e309', b'NaN', b'9' * 30, b'0x1', b'1.5')
FILES: dict[str, FileTarget | _CocoTarget] = {
    **{
        kind: FileTarget(f'weights{ending}', partial(_checkpoints, kind), open_checkpoint)
        for kind, ending in (
            ('MindSpore', '.ckpt'),
            ('safetensors', '.safetensors'),
            ('pickle', '.pth'),
        )
    },
    **{
        ending[1:].upper(): FileTarget(
            f'image{ending}',
            partial(_images, ending),
            _read_image,
            (b'Exif\0\0', b'\xff\xe1', b'\xff\xc2', b'eXIf', b'IDAT', b'\xff\xff', b'IHDR'),
        )
        for ending in ('.png', '.jpg', '.tif', '.bmp', '.webp')
    },
    'label map': FileTarget('labels.png', _label_maps, _read_labels, (b'PLTE', b'tRNS', b'IDAT')),
    'VOC XML': FileTarget(
        'Annotations/a.xml',
        _voc,
        lambda path: read_voc(path.parent).whole(path.parent),
        (
            *(*_NUMBERS, b'<object>', b'</object>', b'<bndbox>', b'<size>', b'<!DOCTYPE a>'),
            *(b'<![CDATA[', b'&lol;', b'<?xml version="1.0" encoding="utf-16"?>', b'<a>' * 200),
        ),
    ),
    'COCO text': FileTarget(
        'annotations.json',
        lambda: [json.dumps(coco_content()).encode()],
        read_annotations,
        (
            *_NUMBERS,
            b'[' * 2000,
            b'{"a":',
            b'null',
            b'""',
            b'"\\ud800"',
            b'Infinity',
            b'\xef\xbb\xbf',
        ),
    ),
    'COCO values': _CocoTarget(),
    'classes.txt': FileTarget(
        'classes.txt',
        _classes,
        read_class_list,
        (*_NUMBERS, b'\n', b'#', b'\r', b'\0', b'\xef\xbb\xbf', b'\xc2\x85', b',', b' 300 1 1'),
    ),
}
