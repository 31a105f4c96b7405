"""Copies of data sets, converted to COCO's form or cleaned. The source is never changed."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rexdense.datasets.coco.json_file import id_key
from rexdense.datasets.formats.split_folders import UNDIVIDED
from rexdense.datasets.images.folders import IMAGE_ENDINGS, is_data
from rexdense.datasets.inspection.boxes import BoxSplit
from rexdense.datasets.inspection.doubles import double_boxes
from rexdense.datasets.inspection.findings import Inspected
from rexdense.datasets.inspection.label_maps import label_map_of
from rexdense.datasets.inspection.pixels import DAMAGED, IN_TWO_SPLITS, OTHER_SIZE, TWICE
from rexdense.datasets.text_files import CLASS_FILE
from rexdense.errors import DataError, InvalidArgument, some_of
from rexdense.files.output_names import output_names
from rexdense.files.writing import folder_written_aside

_MOST_BESIDE = 16 * 2**20
"""Bytes of a file beside the folders of images; larger ones are archives and weights."""
_AUGMENTED = re.compile(r'\.rf\.\w{16,}\.\w+$')
"""What Roboflow puts behind the name of an image, another one behind each augmented copy."""
_IMAGE_FAULTS = (DAMAGED, OTHER_SIZE, IN_TWO_SPLITS)


def write_box_copy(
    splits: Mapping[str, BoxSplit],
    inspected: Inspected,
    target: Path,
    clean: bool,
    val_share: float | None = None,
) -> dict[str, tuple[int, int]]:
    """Write ``images/<split>/...`` and ``annotations/<split>.json``. Return the numbers of images
    and annotations of each split.

    Args:
        clean: Leave out what training leaves out, images that are damaged or also in a later split,
            and the second of two duplicate boxes; clip boxes to their image. Otherwise annotations
            are copied as they are.
        val_share: The share of an undivided folder, or of train if there is no val, that becomes
            val; the rest becomes train.

    Raises:
        DataError: something could not be read, and ``clean`` is off.
        InvalidArgument: ``val_share`` is given for a folder that has splits already.
        UnwritableFile: the target cannot be written, or exists already.
    """
    contents = {split: _content(split, read, inspected, clean) for split, read in splits.items()}
    places = {
        split: {
            id_key(image['id']): Path(read.boxes.image_folder, image['file_name'])
            for image in read.boxes.dataset['images']
        }
        for split, read in splits.items()
    }
    if val_share is not None:
        whole = _divisible(contents)
        parts = _divided(contents.pop(whole), val_share, _together(inspected, whole))
        places |= dict.fromkeys(parts, places[whole])
        contents = {**parts, **contents}
    with folder_written_aside(target) as write:
        for split, content in contents.items():
            _write_split(write, split, content, places[split])
    return {
        split: (len(content['images']), len(content['annotations']))
        for split, content in contents.items()
    }


def _content(split: str, read: BoxSplit, inspected: Inspected, clean: bool) -> dict[str, Any]:
    """Return the COCO content of a split's copy."""
    if not clean:
        faults = [*read.faults, *(f'{name} is not there' for name in read.boxes.missing)]
        faults += [
            found.detail
            for found in inspected.suspicions
            if found.split == split and found.what == DAMAGED
        ]
        if faults:
            raise DataError(
                f'{split}: {some_of(faults, 3, "; ")}: mend these, or --write-fixed DIR leaves '
                'them out'
            )
        # Names as spelt on the disk.
        images = read.boxes.dataset['images']
        return {
            **read.content,
            'images': images,
            'annotations': read.content.get('annotations', []),
        }
    dataset = read.checked.dataset
    gone = {
        found.image
        for found in inspected.suspicions
        if found.split == split and found.what in _IMAGE_FAULTS
    }
    seconds = {second['id'] for _, second, _ in double_boxes(dataset['annotations'])}
    images = [image for image in dataset['images'] if image['file_name'] not in gone]
    if not images:
        raise _none_left(split, len(dataset['images']))
    kept = {image['id'] for image in images}
    annotations = [
        entry
        for entry in dataset['annotations']
        if entry['image_id'] in kept and entry['id'] not in seconds
    ]
    return {**dataset, 'images': images, 'annotations': annotations}


def _none_left(split: str, count: int) -> DataError:
    return DataError(
        f'no image of {split} is left of {count}: all are damaged, without usable labels or in a '
        'later split; the list above has the first, --json FILE all'
    )


def _divisible(splits: Mapping[str, Any]) -> str:
    """Return the split that can be divided into train and val.

    Raises:
        InvalidArgument: there is no such split.
    """
    for whole in (UNDIVIDED, 'train'):
        if whole in splits and 'val' not in splits:
            return whole
    raise InvalidArgument(
        '--val-share divides a folder without splits, or train where there is no val; this one has '
        + ', '.join(splits)
    )


def _together(inspected: Inspected, split: str) -> dict[str, str]:
    """Return, for images of a split with the same pixels, the name of the last of them."""
    following = {
        found.image: found.other
        for found in inspected.suspicions
        if found.what == TWICE and found.split == split
    }
    groups = {}
    for name in following:
        last = name
        while last in following:
            last = following[last]
        groups[name] = last
    return groups


def _grouped(images: Sequence[Mapping[str, Any]], together: Mapping[str, str]) -> dict[str, str]:
    """Return the group of each image by its name: Roboflow's copies of an image, and those that
    belong together, form one."""
    following: dict[str, str] = {}

    def group_of(name: str) -> str:
        group = _AUGMENTED.sub('', name)
        while group in following:
            group = following[group]
        return group

    for name, other in together.items():
        group, into = group_of(name), group_of(other)
        if group != into:
            following[group] = into
    return {image['file_name']: group_of(image['file_name']) for image in images}


def _divided(
    content: dict[str, Any], share: float, together: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Divide images into train and val, at random with a fixed seed.

    Args:
        together: For an image, the name of the image that it must stay with.
    """

    part_of = _grouped(content['images'], together)
    names = sorted(set(part_of.values()))
    if len(names) < 2:
        raise DataError('all images are the same one, which cannot be divided into train and val')
    random.Random(0).shuffle(names)
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    chosen = set(names[:count])
    parts = {}
    for split in ('train', 'val'):
        images = [
            image
            for image in content['images']
            if (part_of[image['file_name']] in chosen) == (split == 'val')
        ]
        kept = {id_key(image['id']) for image in images}
        annotations = [
            entry for entry in content['annotations'] if id_key(entry['image_id']) in kept
        ]
        parts[split] = {**content, 'images': images, 'annotations': annotations}
    return parts


def _write_split(
    write: Callable[[str, bytes], None],
    split: str,
    content: dict[str, Any],
    places: Mapping[str | None, Path],
) -> None:
    sources = {image['id']: places[id_key(image['id'])] for image in content['images']}
    names = output_names(list(sources.values()))
    images, written = [], set()
    for image in content['images']:
        name = f'{split}/{names[str(sources[image["id"]])]}'
        if name not in written:  # a file may be listed twice
            write(f'images/{name}', _read(sources[image['id']]))
        written.add(name)
        images.append({**image, 'file_name': name})
    text = json.dumps({**content, 'images': images})
    write(f'annotations/{split}.json', text.encode())


def write_file_copy(root: Path, inspected: Inspected, target: Path) -> dict[str, int]:
    """Write a cleaned copy of a folder of label maps or of classes, without suspicious samples that
    are ``left_out``. Return the number of images of each split.

    Raises:
        DataError: a split would have no image.
        UnwritableFile: the target cannot be written, or exists already.
    """
    gone = {(found.split, found.image) for found in inspected.suspicions if found.left_out}
    kept = {
        split: [entry for entry in entries if (split, entry.name) not in gone]
        for split, entries in inspected.images.items()
    }
    for split, entries in kept.items():
        if not entries:
            raise _none_left(split, len(inspected.images[split]))
    written: set[Path] = set()
    with folder_written_aside(target) as write:
        for split, entries in kept.items():
            maps: Sequence[Path | None] = [None] * len(entries)
            if inspected.kind == 'label maps':
                maps = label_map_of(root, split, [entry.name for entry in entries])
            for entry, file in zip(entries, maps, strict=True):
                for path in (entry.path, file):
                    # Two images may share a map.
                    if path is not None and path not in written:
                        written.add(path)
                        write(path.relative_to(root).as_posix(), _read(path))
        for path in _beside(root):
            write(path.name, _read(path))
    return {split: len(entries) for split, entries in kept.items()}


def _beside(root: Path) -> Iterator[Path]:
    """Yield the small files in a folder that are not images, such as ``classes.txt``. A link is
    only followed if it is a file of class names: other links may have private targets."""
    yield from (
        path
        for path in sorted(root.iterdir())
        if path.is_file()
        and is_data(path.name)
        and path.suffix.lower() not in IMAGE_ENDINGS
        and path.stat().st_size <= _MOST_BESIDE
        and (not path.is_symlink() or path.name == CLASS_FILE)
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from error
