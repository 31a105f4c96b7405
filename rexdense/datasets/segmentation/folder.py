"""A user's folder with images and label maps for training and validation."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rexdense.datasets.file_names import find_files, not_a_folder
from rexdense.datasets.images.file_checks import Sample, check_files
from rexdense.datasets.images.folders import IMAGE_ENDINGS, images_below
from rexdense.datasets.segmentation.class_list import ClassList, read_class_list
from rexdense.datasets.segmentation.label_counts import (
    count_labels,
    require_labels,
    require_two_classes,
)
from rexdense.datasets.segmentation.label_maps import LABEL_MAP, VOID
from rexdense.datasets.text_files import CLASS_FILE
from rexdense.errors import DataError, some_of
from rexdense.text_table import text_table

LABEL_ENDING = '.png'
_CLASSES_SHOWN = 40
_FEW = 0.001
"""Share of the labelled pixels. A remark is made if all classes but one have less together."""


def find_pairs(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Return each image of a folder and its subfolders with the label map of the same name,
    compared as in :func:`~rexdense.datasets.file_names.find_files`. Raise DataError if a folder is
    missing or has no image, or if an image has no label map."""
    for folder in (images, labels):
        if fault := not_a_folder(folder):
            raise DataError(
                f'folder {folder} {fault}; a data root holds images/{{train,val}}, '
                f'labels/{{train,val}} and {CLASS_FILE}'
            )
    found = images_below(images)
    if not found:
        raise DataError(f'no image in {images}; looked for {", ".join(IMAGE_ENDINGS)}')
    names = [str(path.relative_to(images).with_suffix(LABEL_ENDING)) for path in found]
    label_maps = find_files(labels, names)
    without = [image for image, file in zip(found, label_maps, strict=True) if file is None]
    if without:
        names = ', '.join(path.name for path in without[:3])
        raise DataError(
            f'{len(without)} of {len(found)} images in {images} have no label map in {labels} '
            f'(first {names}); each needs a {LABEL_ENDING} file of its name'
        )
    return [(image, labels / file) for image, file in zip(found, label_maps, strict=True)]


@dataclass(frozen=True)
class CheckedSplit:
    """Files of one split.

    Attributes:
        images: Number of images.
        maps_read: Number of label maps that were read.
        pixels: Number of pixels of each class in these maps.
        void_pixels: Number of void pixels in these maps.
        void_images: Number of these maps that are entirely void.
    """

    images: int
    maps_read: int
    pixels: tuple[int, ...]
    void_pixels: int
    void_images: int


@dataclass(frozen=True)
class SegmentationFolder:
    """Images, label maps and class names of a data set: ``images/<split>``,
    ``labels/<split>`` and ``classes.txt`` in ``data_root``."""

    data_root: str | os.PathLike[str]

    def classes(self) -> ClassList:
        """Return the class names and their colours. Raise DataError if the data root or its class
        file is missing, or if the names cannot be used."""
        root = Path(self.data_root)
        if fault := not_a_folder(root):
            raise DataError(
                f'data root {root} {fault}; give the folder that holds images/, labels/ and '
                f'{CLASS_FILE}'
            )
        return read_class_list(root / CLASS_FILE)

    def prefix(self, split: str) -> dict[str, str]:
        """Return the folders of a split's images and label maps below the data root, as an argument
        of :class:`~rexdense.datasets.SegmentationDataset`."""
        return dict(img_path=f'images/{split}', seg_map_path=f'labels/{split}')

    def check(self, split: str, training: bool = False, void: int = VOID) -> CheckedSplit:
        """Pair the images of a split with their label maps, check the headers of both, and read up
        to ``MOST_MAPS_READ`` maps from all over the split.

        Args:
            training: Whether the split is trained on. Then images that cannot be decoded are
                allowed, because they are skipped, and a single class is an error.
            void: The label of pixels that are ignored.

        Raises:
            DataError: an image has no map or cannot be decoded; a map has another size than its
                image, colours, or labels that are no class; all pixels are void; or, for training,
                all labelled pixels have one class.
        """
        root, names = Path(self.data_root), self.classes().names
        pairs = find_pairs(*(root / folder for folder in self.prefix(split).values()))
        samples = [Sample(str(image), map=str(path)) for image, path in pairs]
        check_files(samples, f'{split} of {root}', LABEL_MAP, training)
        counts = count_labels([path for _, path in pairs], len(names), void)
        pixels, void_pixels = counts[:, :-1], int(counts[:, -1].sum())
        if len(counts) == len(pairs):
            where = f'{split} of {root}'
            if training:
                require_two_classes(counts, names, where, void)
            else:
                require_labels(counts, where, void)
        return CheckedSplit(
            images=len(pairs),
            maps_read=len(counts),
            pixels=tuple(pixels.sum(0).tolist()),
            void_pixels=void_pixels,
            void_images=int((pixels.sum(1) == 0).sum()),
        )


def summary(classes: Sequence[str], splits: Mapping[str, CheckedSplit]) -> str:
    """Return a table of the images and of each class's share of the labelled pixels.

    Example:
        >>> folder = SegmentationFolder('data/camvid')  # doctest: +SKIP
        >>> print(summary(folder.classes().names, {'val': folder.check('val')}))  # doctest: +SKIP
                        val
        images          101
        void          1.7 %
          Sky         9.3 %
          Building   26.4 %
    """
    columns = list(splits.values())
    rows = [['', *splits], ['images', *(str(column.images) for column in columns)]]
    totals = [sum(column.pixels) for column in columns]
    rows.append(
        [
            'void',
            *(
                f'{column.void_pixels / (total + column.void_pixels):.1%}'
                for column, total in zip(columns, totals, strict=True)
            ),
        ]
    )
    for index, name in list(enumerate(classes))[:_CLASSES_SHOWN]:
        shares = (
            column.pixels[index] / total for column, total in zip(columns, totals, strict=True)
        )
        rows.append([f'  {name}', *(f'{share:.1%}' for share in shares)])
    remarks = [_remark(classes, split, column) for split, column in splits.items()]
    if len(classes) > _CLASSES_SHOWN:
        remarks.insert(0, f'{len(classes) - _CLASSES_SHOWN} more classes.')
    return '\n'.join([text_table(rows), *filter(None, remarks)])


def _remark(classes: Sequence[str], split: str, column: CheckedSplit) -> str:
    """Return sentences on what the numbers of a split may mean."""
    sentences = []
    if column.maps_read < column.images:
        sentences.append(f'Counted in {column.maps_read} of the {column.images} maps of {split}.')
    absent = [repr(name) for name, count in zip(classes, column.pixels, strict=True) if not count]
    if absent:
        sentences.append(f'{split} has no pixel of {some_of(absent)}.')
    others = sum(column.pixels) - max(column.pixels)
    if others < _FEW * sum(column.pixels) < column.void_pixels:
        sentences.append(
            f'Next to all labelled pixels of {split} are of one class, and many are void: if those '
            'are an object, give them its class index.'
        )
    if column.void_images:
        sentences.append(
            f'{column.void_images} of the maps of {split} are void all over: nothing comes of them.'
        )
    return ' '.join(sentences)
