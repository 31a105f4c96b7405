"""Building of COCO annotations from files of another format."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from rexdense.datasets.coco.cleaning import area_of_mask
from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.folders import images_below
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.text_files import read_limited
from rexdense.errors import DataError, some_of


@dataclass
class Converted:
    """Annotations in COCO's form, and what could not be converted.

    Attributes:
        content: ``images``, ``annotations`` and ``categories``.
        image_folder: The folder that the names of the images are relative to.
        faults: A message for each file, row or shape that was left out.
    """

    content: dict[str, Any]
    image_folder: Path
    faults: list[str] = field(default_factory=list)

    def whole(self, path: Path) -> dict[str, Any]:
        """Return the content; raise DataError if something could not be converted.

        Args:
            path: The source of the annotations.
        """
        if self.faults:
            raise DataError(
                f'{path}: {some_of(self.faults, 3, "; ", "; and ")}: mend '
                f'{"it" if len(self.faults) == 1 else "them"}, or rexdense prepare --write-fixed '
                'copies the rest'
            )
        return self.content


class CocoBuilder:
    """Builder of COCO annotations; ids count from 1.

    Args:
        classes: Names in the order of the categories; None takes those of the objects, sorted.
    """

    def __init__(self, classes: Sequence[str] | None = None) -> None:
        self._classes = None if classes is None else list(classes)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add_image(self, file_name: str, size: tuple[int, int]) -> None:
        """Add an image. The objects that are added next belong to it.

        Args:
            size: (height, width) in pixels.
        """
        height, width = size
        number = len(self._images) + 1
        self._images.append(dict(id=number, file_name=file_name, width=width, height=height))

    def add_object(
        self,
        name: str,
        box: Sequence[float],
        segmentation: list | dict | None = None,
        **more: Any,
    ) -> None:
        """Add an object of the last image.

        Args:
            name: Name of its class.
            box: [left, top, width, height] in pixels.
            segmentation: Polygons or run lengths in COCO's form.
            more: Further keys of the annotation.
        """
        annotation = dict(
            id=len(self._annotations) + 1,
            image_id=self._images[-1]['id'],
            category_id=name,
            bbox=list(box),
            area=box[2] * box[3] if segmentation is None else area_of_mask(segmentation),
            iscrowd=0,
        )
        if segmentation is not None:
            annotation['segmentation'] = segmentation
        self._annotations.append(annotation | more)

    def content(self) -> dict[str, Any]:
        """Return the content of a COCO file."""
        names = self._classes
        if names is None:
            names = sorted({entry['category_id'] for entry in self._annotations})
        ids = {name: number for number, name in enumerate(names, start=1)}
        annotations = [
            {**entry, 'category_id': ids[entry['category_id']]} for entry in self._annotations
        ]
        categories = [dict(id=number, name=name) for name, number in ids.items()]
        return dict(images=self._images, annotations=annotations, categories=categories)


def images_by_stem(folder: Path) -> dict[str, list[str]]:
    """Return the images of a folder and its subfolders by their paths without the ending."""
    stems: dict[str, list[str]] = {}
    for path in images_below(folder):
        name = path.relative_to(folder).as_posix()
        stems.setdefault(name.rpartition('.')[0], []).append(name)
    return stems


def only_image(names: Sequence[str], stated: str = '') -> str:
    """Return the image that annotations belong to, of several images with the same stem. Raise
    DataError if this is ambiguous.

    Args:
        stated: The file name in the annotations, if there is one.
    """
    chosen = [name for name in names if PurePosixPath(name).name == stated] or names
    if len(chosen) > 1:
        raise DataError(
            f'{" and ".join(chosen)} differ in nothing but the ending, and annotations may be of '
            'either: rename one, or take it away'
        )
    return chosen[0]


def size_of_image(path: Path) -> tuple[int, int]:
    """Return the (height, width) of an image file, upright. Raise DataError if it cannot be read or
    is not an image."""
    if other := not_a_file(path):
        raise DataError(f'image {path} {other}')
    try:
        with open(path, 'rb') as file:
            header = read_header(file)
            if header is not None:
                return header.upright_size
            file.seek(0)
            content = file.read()
    except OSError as error:
        raise DataError(f'image {path} cannot be read ({error.strerror})') from error
    # OpenCV is slow to import, and hardly any file needs it here.
    from rexdense.datasets.images.files import decode_image

    return decode_image(content, str(path)).shape[:2]


def read_json_object(path: Path, most: int) -> dict[str, Any]:
    """Return the object in a JSON file of one image. Raise DataError if the file cannot be read, is
    longer than ``most`` bytes, or has no JSON object."""
    try:
        content = json.loads(read_limited(path, most).decode('utf-8-sig'))
    except (ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())[:80]
        raise DataError(f'{path} is torn or no JSON ({reason})') from None
    if not isinstance(content, dict):
        raise DataError(f'{path} holds no JSON object')
    return content
