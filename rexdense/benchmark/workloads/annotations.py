"""Loading of annotation files of COCO's size: time and memory."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from rexdense.benchmark.machine import free_bytes
from rexdense.benchmark.workloads import Workload
from rexdense.errors import InvalidArgument

CLASSES = 80
SIDES = 640, 480
_IMAGE, _BOX, _CORNER = 300, 800, 64
"""Minimum bytes of an image, a box and a corner while they are drawn."""


def prepare(task: dict[str, Any]) -> Workload:
    """Return the workload of loading annotations: ``annotations`` is a file, ``with_mask`` keeps
    the masks.

    Its facts are ``images``, and ``worker``: the bytes of private memory in a process, forked like
    a dataloader worker, after it has read all samples.
    """
    # The file is drawn without mmdet, so it is imported only here.
    from rexdense.datasets.coco.dataset import CocoDataset

    settings = dict(
        ann_file=str(task['annotations']),
        backend_args=dict(backend='local'),  # no search for the images
        pipeline=[
            dict(
                type='mmdet.LoadAnnotations',
                with_bbox=True,
                with_mask=bool(task.get('with_mask')),
            )
        ],
    )
    return Workload(
        lambda: CocoDataset(**settings),
        lambda dataset: dict(images=len(dataset), worker=_bytes_of_worker(dataset)),
    )


def _bytes_of_worker(dataset: Any) -> int:
    """Return the private memory of a forked process after it has read all samples.

    Raises:
        InvalidArgument: it ended without a result.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        # In any case, only the parent process may return to the caller.
        try:
            for index in range(len(dataset)):
                dataset.get_data_info(index)
            os.write(writing, str(_own_bytes()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    if not said:
        raise InvalidArgument(
            'a process that went through the samples ended before it told its memory, which needs '
            '/proc/self/smaps_rollup of Linux: give fewer --images and --boxes if the memory ran '
            'out'
        )
    return int(said)


def _own_bytes() -> int:
    """Return the memory that this process does not share with others (proc(5), smaps_rollup)."""
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    kilobytes = [line.split()[1] for line in lines if line.startswith('Private_Dirty:')]
    return int(kilobytes[0]) * 1024


def drawn_annotations(images: int, boxes: int, corners: int = 0) -> bytes:
    """Return an annotation file of random boxes, in COCO's format.

    Args:
        corners: Corners of each object's mask polygon; 0 leaves masks out.

    Raises:
        InvalidArgument: the numbers do not fit.
    """
    if corners and corners < 3:
        raise InvalidArgument(f'--corners {corners}: a polygon has 3 at least, 0 leaves masks out')
    needed = images * _IMAGE + boxes * (_BOX + corners * _CORNER)
    free = free_bytes()
    if free is not None and needed > free:
        raise InvalidArgument(
            f'--images {images} --boxes {boxes} --corners {corners} would need at least '
            f'{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: give smaller numbers'
        )
    random = np.random.default_rng(0)
    width, height = SIDES
    at = np.sort(random.integers(images, size=boxes))
    sizes = np.stack([random.uniform(8, side / 2, boxes) for side in SIDES], 1).round(2)
    places = (random.random((boxes, 2)) * (np.array(SIDES) - sizes)).round(2)
    labels = random.integers(1, CLASSES + 1, size=boxes)
    angles = np.arange(corners) * 2 * np.pi / max(corners, 1)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1) / 2 + 0.5
    entries = []
    for number in range(boxes):
        (left, top), (wide, tall) = places[number].tolist(), sizes[number].tolist()
        entry = dict(
            id=number + 1,
            image_id=int(at[number]) + 1,
            category_id=int(labels[number]),
            bbox=[left, top, wide, tall],
            area=round(wide * tall, 2),
            iscrowd=0,
        )
        if corners:
            polygon = places[number] + circle * sizes[number]
            entry['segmentation'] = [polygon.round(2).ravel().tolist()]
        entries.append(entry)
    content = dict(
        images=[
            dict(id=number, file_name=f'{number:012d}.jpg', width=width, height=height)
            for number in range(1, images + 1)
        ],
        annotations=entries,
        categories=[dict(id=number, name=f'class {number}') for number in range(1, CLASSES + 1)],
    )
    return json.dumps(content).encode()
