"""Paths where exporters write annotation files in COCO's or VOC's form, and their images."""

from pathlib import Path

from rexdense.datasets.formats.split_folders import SPLIT_NAMES, split_of, subfolders
from rexdense.datasets.formats.voc import ANNOTATIONS, LISTS, is_voc, voc_image_folders

BESIDE_IMAGES = '_annotations.coco.json'
"""File of Roboflow."""
INSTANCES = 'annotations/instances_'
"""Files of COCO and CVAT."""
# Files of CVAT and Label Studio for a project without splits, and the names of other exporters.
_UNDIVIDED = (
    *(f'{INSTANCES}default.json', 'result.json', BESIDE_IMAGES, 'annotations.json'),
    *('instances.json', 'coco.json', 'annotations/annotations.json', 'annotations/all.json'),
    *(ANNOTATIONS, '.'),
)


def coco_files(root: Path, split: str) -> list[Path]:
    """Return the paths where exporters put the COCO files of a split."""
    found = [
        folder / BESIDE_IMAGES for folder in subfolders(root) if split_of(folder.name) == split
    ]
    start = INSTANCES.rpartition('/')[2]
    found += [
        path
        for path in root.glob(f'{INSTANCES}*.json')
        if path.stem[len(start) :].lower().startswith(SPLIT_NAMES[split])
    ]
    return sorted(filter(Path.is_file, found))


def annotation_files(root: Path, split: str) -> list[Path]:
    """Return the sources of the annotations of a split: COCO files, else VOC lists, else folders of
    XML files."""
    found = coco_files(root, split)
    if found:
        return found
    lists = [path for path in sorted((root / LISTS).glob('*.txt')) if split_of(path.stem) == split]
    return lists or [
        folder
        for place in (root / ANNOTATIONS, root)
        for folder in subfolders(place)
        if split_of(folder.name) == split and is_voc(folder)
    ]


def undivided_files(root: Path) -> list[Path]:
    """Return the sources of the annotations of a folder without splits, the likeliest first."""
    places = [root / name for name in _UNDIVIDED]
    return [path for path in places if path.is_file() or (path.is_dir() and is_voc(path))]


def looked_for(split: str) -> str:
    """Return the searched places of the annotations of a split, for a message."""
    names = SPLIT_NAMES[split][:2] if split == 'val' else SPLIT_NAMES[split][:1]
    forms = f'{{}}/{BESIDE_IMAGES}', f'{INSTANCES}{{}}*.json', f'{LISTS}/{{}}.txt'
    places = [form.format(name) for form in forms for name in names]
    return f'{", ".join(places)} and folders of XML files'


def image_folders(root: Path, annotations: Path, images: str, searched: bool = True) -> list[Path]:
    """Return the folders that may have the images of an annotation file, the likeliest first.

    Args:
        images: The stated folder below the root.
        searched: Whether other folders are searched too.
    """
    if not searched:
        return [root / images]
    if is_voc(annotations):
        return [root / images, *voc_image_folders(annotations)]
    # The images of instances_val2017 are in val2017.
    name = annotations.stem.partition('_')[2] or annotations.stem
    return [root / images, root / name, root / images / name, annotations.parent, root]
