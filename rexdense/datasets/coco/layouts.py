"""Paths where exporters write annotation files in COCO's or VOC's form, and their images."""

from pathlib import Path

from rexdense.datasets.coco.json_file import LISTS as COCO_LISTS
from rexdense.datasets.coco.json_file import read_json
from rexdense.datasets.formats.split_folders import SPLIT_NAMES, split_of, subfolders
from rexdense.datasets.formats.voc import LISTS, annotation_folder, is_voc, voc_image_folders
from rexdense.datasets.images.folders import IMAGE_ENDINGS, is_data
from rexdense.errors import DataError

BESIDE_IMAGES = '_annotations.coco.json'
"""File of Roboflow."""
INSTANCES = 'annotations/instances_'
"""Files of COCO and CVAT."""
# Files of CVAT and Label Studio for a project without splits, and the names of other exporters.
_UNDIVIDED = (
    *(f'{INSTANCES}default.json', 'result.json', BESIDE_IMAGES, 'annotations.json'),
    *('instances.json', 'coco.json', 'annotations/annotations.json', 'annotations/all.json'),
)


def coco_files(root: Path, split: str) -> list[Path]:
    """Return the COCO files of a split where exporters put them."""
    found = []
    for folder in subfolders(root):
        if split_of(folder.name) == split:
            beside = folder / BESIDE_IMAGES
            found += [beside] if beside.is_file() else _only_coco_file(folder)
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
        for place in (annotation_folder(root), root)
        for part in subfolders(place)
        if split_of(part.name) == split
        for folder in (part, annotation_folder(part))
        if is_voc(folder)
    ]


def undivided_files(root: Path) -> list[Path]:
    """Return the sources of the annotations of a folder without splits, the likeliest first."""
    found = [root / name for name in _UNDIVIDED if (root / name).is_file()]
    found += [path for path in (annotation_folder(root), root) if is_voc(path)]
    return found or _only_coco_file(root, root / 'annotations')


def _only_coco_file(*folders: Path) -> list[Path]:
    """Return the COCO file of folders that hold a single JSON file, whatever its name is."""
    files = [path for folder in folders for path in folder.glob('*.json') if is_data(path.name)]
    if len(files) != 1:
        return []
    try:
        content = read_json(files[0])
    except DataError:
        return []
    return files if isinstance(content, dict) and content.keys() >= set(COCO_LISTS) else []


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
    places = [root / images, root / name, root / images / name, annotations.parent, root]
    others = {*subfolders(annotations.parent), *subfolders(root)}
    found = [
        folder
        for folder in others.difference(places)
        if any(path.suffix.lower() in IMAGE_ENDINGS for path in folder.iterdir())
    ]
    # If there are several, masks may have the names of the images.
    return [*places, *(found if len(found) == 1 else ())]
