"""Conversion of folders of mask images to annotations with masks.

There are three layouts: ``images/a.jpg`` and ``masks/a.png``, whose values distinguish the objects;
``masks/a/*.png`` with one object per file; and ``a/images/*.png`` with ``a/masks/*.png``, as in the
2018 Data Science Bowl.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rexdense.datasets.coco.masks import box_of_pixels, encode_mask
from rexdense.datasets.formats.conversion import (
    CocoBuilder,
    Converted,
    images_by_stem,
    only_image,
    size_of_image,
)
from rexdense.datasets.formats.split_folders import (
    SPLIT_NAMES,
    UNDIVIDED,
    by_split,
    split_of,
    subfolder,
    subfolders,
)
from rexdense.datasets.images.files import read_upright
from rexdense.datasets.images.folders import images_below
from rexdense.datasets.segmentation.label_maps import read_label_map
from rexdense.datasets.text_files import CLASS_FILE, MOST_NAMES_BYTES, read_limited
from rexdense.errors import DataError

IMAGES, MASKS = 'images', 'masks'
CLASS_NAME = 'object'
"""The only class, if ``classes.txt`` has no name."""
_JPEG = ('.jpg', '.jpeg')


def is_masks(root: Path) -> bool:
    """Whether a folder has images and masks in one of the layouts."""
    return bool(_split_pairs(root))


def read_masks(root: Path) -> dict[str, Converted]:
    """Read a data set of masks, by split. All objects have one class.

    The nonzero values of a mask are objects. If all masks of a split have the same single value,
    each connected component is an object. JPEG does not keep values, so a JPEG file is thresholded
    in the middle to black and white. In a folder of masks, each file is an object, but a folder
    with only one file may have several numbered objects in it.

    Raises:
        DataError: the folder has none of the layouts, or ``classes.txt`` has several names.
    """
    splits = _split_pairs(root)
    if not splits:
        raise DataError(
            f'{root} has no masks: looked for {MASKS}/ beside {IMAGES}/, with train/ and val/ in '
            f'both or without, and for folders that hold {IMAGES}/ and {MASKS}/ each'
        )
    name = _class_name(root / CLASS_FILE)
    return {split: _read_split(root, pairs, name) for split, pairs in splits.items()}


def _class_name(path: Path) -> str:
    if not path.is_file():
        return CLASS_NAME
    text = read_limited(path, MOST_NAMES_BYTES).decode('utf-8-sig', errors='replace')
    names = [line.strip() for line in text.splitlines() if line.strip()]
    others = [name for name in names if name.lower() != 'background']
    if len(others) != 1:
        raise DataError(
            f'{path} names {len(others)} classes, and masks that number objects are of one: give '
            'one name, or train on label maps (rexdense train with a U-Net config)'
        )
    return others[0]


class _Pair(NamedTuple):
    """An image and its mask files.

    Attributes:
        apart: Whether the masks are in a folder of their own, with one object per file.
        fault: Why the image or its mask is ambiguous.
    """

    image: Path
    files: list[Path]
    apart: bool
    fault: str | None = None


_Pairs = list[_Pair]


def _split_pairs(root: Path) -> dict[str, _Pairs]:
    found: dict[str, _Pairs] = {}
    images, masks = subfolder(root, IMAGES), subfolder(root, MASKS)
    of_masks = by_split(
        (split_of(folder.name), folder)
        for folder in subfolders(masks)
        if (images / folder.name).is_dir()
    )
    for split, folder in of_masks.items():
        found[split] = _pairs(images / folder.name, folder)
    of_both = {}
    for folder in subfolders(root):
        split = split_of(folder.name)
        if split and split not in found:
            pairs = _pairs(subfolder(folder, IMAGES), subfolder(folder, MASKS))
            of_both[folder] = pairs or _bowl_pairs(folder)
    both = by_split((split_of(folder.name), folder) for folder, pairs in of_both.items() if pairs)
    found |= {split: of_both[folder] for split, folder in both.items()}
    if not found:
        pairs = _pairs(images, masks) or _bowl_pairs(root)
        found = {UNDIVIDED: pairs} if pairs else {}
    return {split: found[split] for split in (*SPLIT_NAMES, UNDIVIDED) if found.get(split)}


def _pairs(images: Path, masks: Path) -> _Pairs:
    if not images.is_dir() or not masks.is_dir():
        return []
    of_stem = images_by_stem(masks)
    pairs = []
    for stem, names in sorted(images_by_stem(images).items()):
        image, fault = images / names[0], None
        files, apart = [], stem not in of_stem
        try:
            only_image(names)
            if not apart:
                files = [masks / only_image(of_stem[stem])]
        except DataError as error:
            fault = str(error)
        if apart and (masks / stem).is_dir():
            files = images_below(masks / stem)
        pairs.append(_Pair(image, files, apart, fault))
    return pairs


def _bowl_pairs(root: Path) -> _Pairs:
    pairs = []
    for folder in subfolders(root):
        if (folder / MASKS).is_dir() and (folder / IMAGES).is_dir():
            masks = images_below(folder / MASKS)
            pairs += [_Pair(image, masks, True) for image in images_below(folder / IMAGES)[:1]]
    return pairs


def _read_split(root: Path, pairs: _Pairs, name: str) -> Converted:
    builder, faults = CocoBuilder([name]), []
    values = _values(pairs)
    for image, files, apart, fault in pairs:
        try:
            if fault is not None:
                raise DataError(fault)
            size = size_of_image(image)
        except DataError as error:
            faults.append(str(error))
            continue
        builder.add_image(image.relative_to(root).as_posix(), size)
        if not files:
            faults.append(f'{image.relative_to(root)} has no mask')
        for file in files:
            try:
                for mask in _objects(file, len(files) > 1, not apart and len(values) == 1):
                    if mask.shape != size:
                        raise DataError(
                            f'it is {mask.shape[1]} x {mask.shape[0]} pixels (width x height), its '
                            f'image {size[1]} x {size[0]}'
                        )
                    builder.add_object(name, box_of_pixels(mask), encode_mask(mask))
            except DataError as error:
                faults.append(f'{file.relative_to(root)}: {error}')
    return Converted(builder.content(), root, faults)


def _values(pairs: _Pairs) -> set[int]:
    """Return the nonzero values in the masks of a split, stopping once there are two."""
    values: set[int] = set()
    for pair in pairs:
        for file in pair.files:
            try:
                values |= set(np.unique(_one_channel(file)).tolist()) - {0}
            except DataError:
                continue
            if len(values) > 1:
                return values
    return values


def _objects(file: Path, is_one: bool, by_piece: bool) -> Iterator[np.ndarray]:
    """Yield the objects (height, width), bool, of a mask file."""
    mask = _one_channel(file)
    if is_one:
        if mask.any():
            yield mask > 0
        return
    if by_piece:
        import cv2

        _, mask = cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)
    for value in np.unique(mask):
        if value:
            yield mask == value


def _stored(file: Path) -> np.ndarray:
    """Return a mask as stored; an image whose colours are all grey counts as one channel."""
    try:
        return read_label_map(file)
    except DataError:
        pixels = read_upright(file)
    colours = pixels[..., :3] if pixels.ndim == 3 else pixels[..., None]
    if (colours != colours[..., :1]).any():
        raise DataError('it has colours, and a mask has numbers of objects')
    return colours[..., 0]


def _one_channel(file: Path) -> np.ndarray:
    """Return a mask like :func:`_stored`, with a JPEG file thresholded to 0 and 255."""
    mask = _stored(file)
    if file.suffix.lower() in _JPEG:
        return np.where(mask > 127, np.uint8(255), np.uint8(0))
    return mask
