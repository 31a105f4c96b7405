"""A folder of images with COCO annotations for training and validation."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rexdense.datasets.coco.annotations import CocoAnnotations, read_annotations
from rexdense.datasets.coco.layouts import (
    annotation_files,
    image_folders,
    looked_for,
    undivided_files,
)
from rexdense.datasets.file_names import not_a_folder
from rexdense.datasets.images.file_checks import check_files
from rexdense.errors import DataError, some_of, suggest
from rexdense.text_table import text_table

_CLASSES_SHOWN = 20


@dataclass(frozen=True)
class CheckedCocoFolder:
    """The checked annotations of a folder.

    Attributes:
        classes: the classes to train, in the order of the labels.
        train, val: the annotations of the splits, both with these classes.
    """

    classes: tuple[str, ...]
    train: CocoAnnotations
    val: CocoAnnotations

    def summary(self) -> str:
        """Return a table of images, boxes and omissions."""
        return summary({'train': self.train, 'val': self.val})


@dataclass(frozen=True)
class CocoFolder:
    """The paths of the images and annotations of a data set.

    Files that are missing at the default paths are searched in the layouts of exporters: Roboflow's
    ``{train,valid}/_annotations.coco.json`` with the images beside it, COCO's
    ``annotations/instances_{train,val}2017.json`` with the images in ``train2017/`` and
    ``val2017/``, and Pascal VOC's ``ImageSets/Main/{train,val}.txt`` or folders of XML files.

    Attributes:
        data_root: the folder that relative paths start from.
        images: folder that the ``file_name`` of each image is relative to.
        train, val: the annotation files.
        val_images: folder of the validation images; None for ``images``.
    """

    data_root: str | os.PathLike[str]
    images: str = 'images'
    train: str = 'annotations/train.json'
    val: str = 'annotations/val.json'
    val_images: str | None = None

    def check(
        self, classes: Sequence[str] | None = None, need_masks: bool = False
    ) -> CheckedCocoFolder:
        """Read both annotation files and check the images.

        Args:
            classes: names of the classes to train; None takes all of the training file.
            need_masks: whether annotations without a usable mask are left out.

        Raises:
            DataError: a file is missing or cannot be used, or the validation file has classes that
                the training file lacks. The reverse is allowed.
        """
        train = self.read('train', classes, need_masks)
        val = self.read('val', train.classes, need_masks)
        others = [name for name in val.file_classes if name not in train.file_classes]
        if others and classes is None:
            raise DataError(
                f'{val.path} has the classes {some_of(map(repr, others))}, which {train.path} '
                f'does not have; use one spelling in both, or name the classes to train '
                f'({suggest(others[0], train.file_classes)})'
            )
        return CheckedCocoFolder(train.classes, train, val)

    def read(
        self, split: str, classes: Sequence[str] | None = None, need_masks: bool = False
    ) -> CocoAnnotations:
        """Read the annotation file of one split, 'train' or 'val', and check its images.

        Args:
            classes: names of the classes; None takes all of the file. The validation file may lack
                some.
            need_masks: whether annotations without a usable mask are left out.

        Raises:
            DataError: a file is missing or cannot be used, for example if an image has another size
                than annotated. Training images that cannot be decoded are no error here; training
                skips them.
        """
        root = Path(self.data_root)
        if root.suffix.lower() == '.zip' and root.is_file():
            raise DataError(
                f'data root {root} is a zip file: rexdense prepare {root} --unpack DIR unpacks it'
            )
        if fault := not_a_folder(root):
            raise DataError(
                f'data root {root} {fault}; give the folder that holds {self.images}/ and '
                f'{self.train}'
            )
        file = self._annotation_file(split)
        annotations = read_annotations(
            file,
            self._image_folders(split, file),
            classes,
            may_lack_classes=split == 'val',
            need_masks=need_masks,
        )
        check_files(annotations.image_samples(), str(file), may_be_damaged=split == 'train')
        return annotations

    def below(self, path: Path) -> str:
        """Return a path relative to the data root; an absolute path if it lies outside."""
        root = Path(self.data_root)
        return str(path.relative_to(root) if path.is_relative_to(root) else path.absolute())

    def found_places(self, splits: Mapping[str, CocoAnnotations]) -> list[str]:
        """Return a sentence for each split whose annotations or images were found elsewhere than at
        the stated paths."""
        sentences = []
        for split, found in splits.items():
            places = self.below(found.path), self.below(found.image_folder)
            images = self.val_images if split == 'val' and self.val_images else self.images
            stated = {'train': self.train, 'val': self.val}[split], images
            if tuple(map(os.path.normpath, stated)) != places:
                sentences.append(
                    f'{split} is read from {places[0]}, its images from {places[1]}{os.sep}.'
                )
        return sentences

    def _annotation_file(self, split: str) -> Path:
        """Return the stated annotation file of a split, or else the file of a known layout."""
        root, stated = Path(self.data_root), {'train': self.train, 'val': self.val}[split]
        if stated != getattr(CocoFolder, split) or (root / stated).exists():
            return root / stated
        found = annotation_files(root, split)
        if len(found) > 1:
            raise DataError(
                f'{root} has {" and ".join(map(self.below, found))} for {split}: '
                f'choose one with --{split}-annotations'
            )
        if not found:
            undivided = undivided_files(root) or self._only_train(split)
            raise DataError(
                f'{root} has no annotation file for {split}: looked for {stated}, '
                f'{looked_for(split)}; name it with --{split}-annotations, or let rexdense '
                + (
                    f'prepare --val-share divide what {self.below(undivided[0])} has'
                    if undivided
                    else 'prepare --convert turn YOLO, labelme or masks into COCO'
                )
            )
        return found[0]

    def _only_train(self, split: str) -> list[Path]:
        """Return the annotation file of train, which could be split, if val has none."""
        if split != 'val' or self.train != CocoFolder.train:
            return []
        root = Path(self.data_root)
        stated = root / self.train
        return [stated] if stated.exists() else annotation_files(root, 'train')

    def _image_folders(self, split: str, annotations: Path) -> list[Path]:
        """Return the folders that may hold the images of an annotation file."""
        root = Path(self.data_root)
        stated = self.val_images if split == 'val' and self.val_images else self.images
        return image_folders(root, annotations, stated, searched=stated == CocoFolder.images)


def summary(splits: Mapping[str, CocoAnnotations]) -> str:
    """Return a table of images, boxes by class and omissions, with a column per split.

    Example:
        >>> print(CocoFolder('data/bccd').check().summary())  # doctest: +SKIP
                     train   val
        images         205    87
        boxes         2804  1137
          RBC         2381   967
          WBC          214    87
          Platelets    209    83
    """
    columns = list(splits.values())
    rows = [['', *splits], ['images', *(str(len(column.dataset['images'])) for column in columns)]]
    counts = [column.boxes_per_class for column in columns]

    def add(name: str, values: Sequence[int]) -> None:
        rows.append([name, *map(str, values)])

    if any(column.images_without_boxes for column in columns):
        add('  without boxes', [column.images_without_boxes for column in columns])
    add('boxes', [sum(count.values()) for count in counts])
    names = list(dict.fromkeys(name for count in counts for name in count))
    if len(names) > _CLASSES_SHOWN:
        names = sorted(names, key=lambda name: -counts[0].get(name, 0))
    for name in names[:_CLASSES_SHOWN]:
        add(f'  {name}', [count.get(name, 0) for count in counts])
    if rest := names[_CLASSES_SHOWN:]:
        add(
            f'  {len(rest)} more classes',
            [sum(count.get(name, 0) for name in rest) for count in counts],
        )
    for reason in dict.fromkeys(reason for column in columns for reason in column.dropped):
        add(f'left out: {reason}', [column.dropped.get(reason, 0) for column in columns])
    if any(column.crowds for column in columns):
        add('crowds, not learnt from', [column.crowds for column in columns])
    if any(column.boxes_of_masks for column in columns):
        add('boxes taken from the masks', [column.boxes_of_masks for column in columns])
    if any(column.turned_boxes for column in columns):
        add('boxes around turned ones', [column.turned_boxes for column in columns])
    if any(column.clipped for column in columns):
        add('boxes cut to the image', [column.clipped for column in columns])
    return '\n'.join([text_table(rows), *_remarks(splits)])


def _remarks(splits: Mapping[str, CocoAnnotations]) -> list[str]:
    """Return sentences on what the numbers of the table may mean."""
    remarks = []
    if any(column.images_without_boxes for column in splits.values()):
        remarks.append('Images without boxes are kept: they are learnt from as background.')
    for split, column in splits.items():
        if column.roots:
            remarks.append(
                f'{some_of(map(repr, column.roots))} of {split} is no class: it has no box, '
                'and is the super-category of others.'
            )
        absent = [name for name, count in column.boxes_per_class.items() if not count]
        if absent:
            remarks.append(f'{split} has no box of {some_of(map(repr, absent))}.')
        total = len(column.dataset['annotations'])
        unlike = column.masks_unlike_boxes
        if unlike:
            remarks.append(
                f'{len(unlike)} of the {total} masks of {split} do not fit their boxes (IoU below '
                f'0.5; ids {some_of(unlike)}): look at them, both are learnt from as they are.'
            )
        as_runs = sum(
            entry['iscrowd'] and isinstance(entry.get('segmentation'), dict)
            for entry in column.dataset['annotations']
        )
        if as_runs > 0.1 * total:
            remarks.append(
                f'{as_runs} of the {total} annotations of {split} have run lengths and '
                'iscrowd 1, as CVAT writes masks of its brush and supervision masks with holes, '
                'and are not learnt from: rexdense prepare --no-crowds --out COPY makes single '
                'objects of them.'
            )
        if column.clipped > 0.1 * total:
            remarks.append(
                f'{column.clipped} of the {total} boxes of {split} reach out of their image: '
                'a COCO box is [left, top, width, height], not two corners.'
            )
    return remarks
