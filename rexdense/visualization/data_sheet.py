"""A picture of a data set: plots, samples with their annotations, and suspicious samples."""

import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rexdense.datasets.coco.annotations import CocoAnnotations
from rexdense.datasets.coco.masks import decode_mask
from rexdense.datasets.images.files import ImageError
from rexdense.datasets.inspection.boxes import BoxSplit
from rexdense.datasets.inspection.findings import ImageEntry, Inspected, Suspicion
from rexdense.datasets.inspection.label_maps import label_map_of
from rexdense.datasets.segmentation.folder import SegmentationFolder
from rexdense.datasets.segmentation.label_maps import read_label_map
from rexdense.errors import DataError
from rexdense.visualization.boxes import Objects, draw_objects
from rexdense.visualization.labels import draw_labels, label_legend
from rexdense.visualization.picture_files import read_picture
from rexdense.visualization.plots.data import plot_counts
from rexdense.visualization.tiles import below, fitted, in_rows, text_size, titled, write_text

SAMPLES = 12
SUSPICIOUS = 8
TILE_HEIGHT, TILE_WIDTH = 260, 340
ROW_WIDTH = 1480
LEAST_CROP = 96
"""Smallest side in pixels of the crop around a suspicious box."""


def draw_overview(inspected: Inspected, splits: Mapping[str, BoxSplit], root: Path) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, RGB, of a data set of any kind.

    Args:
        splits: The boxes and masks that were read; empty for other kinds of data.
        root: The folder of the data.
    """
    if splits:
        return _draw_boxes(inspected, splits)
    if inspected.kind == 'label maps':
        return _draw_label_maps(inspected, root)
    return _draw_classes(inspected)


def _draw_boxes(inspected: Inspected, splits: Mapping[str, BoxSplit]) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, RGB, of a data set of boxes or masks."""
    annotated = {split: _by_image(read.checked) for split, read in splits.items()}

    def draw(split: str, entry: ImageEntry) -> np.ndarray:
        read = splits[split].checked
        image = read_picture(entry.path, entry.size)
        objects = _objects(annotated[split].get(entry.name, []), read, image.shape[:2])
        before = image.shape[:2]
        image = _fitted(image)
        objects = objects.resized(before, image.shape[:2])
        return draw_objects(image, objects, read.classes)

    plots = plot_counts(inspected.counts, 'objects', inspected.sides, inspected.objects)
    parts = [plots, _samples(inspected, draw)]
    suspicious = _suspicious_boxes(inspected, splits)
    if suspicious:
        parts += [_heading('Suspicious annotations'), _rows(suspicious)]
    return below(parts)


def _draw_label_maps(inspected: Inspected, root: Path) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, RGB, of a folder of label maps."""
    names, palette = SegmentationFolder(root).classes()
    found: set[int] = set()

    def draw(split: str, entry: ImageEntry) -> np.ndarray:
        (file,) = label_map_of(root, split, [entry.name])
        if file is None:
            raise DataError('it has no label map')
        image, labels = _fitted(read_picture(entry.path)), read_label_map(file)
        labels = fitted(labels.astype(np.uint16), image.shape[0], keep_values=True)
        labels = labels[:, : image.shape[1]]
        if labels.shape != image.shape[:2]:
            raise DataError('its label map has another shape')
        found.update(np.unique(labels).tolist())
        return draw_labels(image, labels, palette)

    samples = _samples(inspected, draw)
    legend = label_legend(found, names, palette, ROW_WIDTH)
    return below([plot_counts(inspected.counts, 'pixels'), samples, legend])


def _draw_classes(inspected: Inspected) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, RGB, of a folder of classes."""

    def draw(split: str, entry: ImageEntry) -> np.ndarray:
        return _fitted(read_picture(entry.path))

    return below([plot_counts(inspected.counts, 'images'), _samples(inspected, draw)])


def _samples(inspected: Inspected, draw: Callable[[str, ImageEntry], np.ndarray]) -> np.ndarray:
    """Return tiles of random images from all splits, always with the same seed."""
    tiles = []
    each = -(-SAMPLES // len(inspected.images))
    for split, entries in inspected.images.items():
        chosen = random.Random(0).sample(range(len(entries)), min(3 * each, len(entries)))
        of_split = []
        for place in chosen:
            if len(of_split) == each:
                break
            try:
                picture = draw(split, entries[place])
            except (DataError, ImageError):
                continue  # samples that cannot be drawn are among the suspicious ones
            of_split.append(_titled(picture, f'{split}: {entries[place].name}'))
        tiles += of_split
    return below([_heading('Samples'), _rows(tiles)])


def _suspicious_boxes(inspected: Inspected, splits: Mapping[str, BoxSplit]) -> list[np.ndarray]:
    """Return tiles of suspicious annotations: the part of the image around them, without others."""
    by_kind: dict[str, list[Suspicion]] = {}
    for suspicion in inspected.suspicions:
        if suspicion.annotations:
            by_kind.setdefault(suspicion.what, []).append(suspicion)
    entries = {
        (split, entry.name): entry for split, listed in inspected.images.items() for entry in listed
    }
    tiles = []
    of_each = 2 if len(by_kind) <= SUSPICIOUS // 2 else 1
    if len(by_kind) == 1:
        of_each = SUSPICIOUS
    for what, found in by_kind.items():
        for suspicion in found[:of_each]:
            read, entry = splits[suspicion.split], entries.get((suspicion.split, suspicion.image))
            if entry is None or len(tiles) == SUSPICIOUS:
                continue
            try:
                tile = _suspicious_tile(read.boxes, entry, suspicion)
            except (DataError, ImageError):
                continue
            if tile is not None:
                tiles.append((tile, _wrapped(what), f'{suspicion.split}: {suspicion.image}'))
    # All tiles have the same number of title lines.
    most = max((len(lines) for _, lines, _ in tiles), default=0)
    return [
        _titled(tile, *lines, place, *[''] * (most - len(lines))) for tile, lines, place in tiles
    ]


def _suspicious_tile(
    read: CocoAnnotations, entry: ImageEntry, suspicion: Suspicion
) -> np.ndarray | None:
    """Return the part of an image around the annotations, with only these drawn; None without a
    box."""
    chosen = [each for each in read.dataset['annotations'] if each['id'] in suspicion.annotations]
    if not chosen:
        return None
    image = read_picture(entry.path, entry.size)
    objects = _objects(chosen, read, image.shape[:2])
    height, width = image.shape[:2]
    start, end = objects.boxes[:, :2].min(0), objects.boxes[:, 2:].max(0)
    room = np.maximum((end - start) / 2, (LEAST_CROP - (end - start)) / 2)
    left, top = np.floor((start - room).clip(0)).astype(int)
    right, bottom = np.minimum(np.ceil(end + room), (width, height)).astype(int)
    part = image[top:bottom, left:right]
    objects.boxes = objects.boxes - np.tile((left, top), 2)
    if objects.masks is not None:
        objects.masks = objects.masks[:, top:bottom, left:right]
    larger = _fitted(part)
    objects = objects.resized(part.shape[:2], larger.shape[:2])
    return draw_objects(larger, objects, read.classes)


def _by_image(read: CocoAnnotations) -> dict[str, list[dict]]:
    names = {image['id']: image['file_name'] for image in read.dataset['images']}
    found: dict[str, list[dict]] = {}
    for entry in read.dataset['annotations']:
        found.setdefault(names[entry['image_id']], []).append(entry)
    return found


def _objects(annotations: Sequence[dict], read: CocoAnnotations, size: tuple[int, int]) -> Objects:
    boxes = np.array([entry['bbox'] for entry in annotations], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = np.array([read.labels[entry['category_id']] for entry in annotations], np.int64)
    masks = None
    if annotations and all(entry.get('segmentation') for entry in annotations):
        # If only boxes are checked, masks may be damaged.
        with contextlib.suppress(DataError):
            masks = np.array([decode_mask(entry['segmentation'], *size) for entry in annotations])
    return Objects(boxes, labels, masks=masks)


def _fitted(image: np.ndarray) -> np.ndarray:
    """Return an image scaled to fit a tile."""
    height = min(TILE_HEIGHT, max(1, TILE_WIDTH * image.shape[0] // image.shape[1]))
    return fitted(image, height)[:, :TILE_WIDTH]


def _titled(picture: np.ndarray, *titles: str) -> np.ndarray:
    """Return a picture on a white tile, below titles that are shortened to fit."""
    tile = np.full((TILE_HEIGHT, TILE_WIDTH, 3), 255, np.uint8)
    tile[: picture.shape[0], : picture.shape[1]] = picture
    return titled(tile, *(_shortened(title) for title in titles))


def _shortened(text: str) -> str:
    """Return a text shortened to the width of a tile. Its end is kept, because names differ
    there."""
    if text_size(text)[0] <= TILE_WIDTH - 8:
        return text
    start, _, rest = text.partition(': ')
    start = f'{start}: ' if rest else ''
    rest = rest or text
    while rest and text_size(f'{start}..{rest}')[0] > TILE_WIDTH - 8:
        rest = rest[1:]
    return f'{start}..{rest}'


def _wrapped(text: str) -> list[str]:
    """Return a text as lines that fit the width of a tile."""
    lines = ['']
    for word in text.split():
        longer = f'{lines[-1]} {word}'.strip()
        if text_size(longer)[0] <= TILE_WIDTH - 8:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _heading(text: str) -> np.ndarray:
    strip = np.full((40, ROW_WIDTH, 3), 255, np.uint8)
    write_text(strip, text, 4, 28, 0.7)
    return strip


def _rows(tiles: Sequence[np.ndarray]) -> np.ndarray:
    if not tiles:
        return _heading('none can be drawn')
    return in_rows(tiles, max(1, ROW_WIDTH // tiles[0].shape[1]))
