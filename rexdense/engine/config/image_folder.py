"""Changes to the config of a classifier by --data-root."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process

from rexdense.datasets.images.folders import entries_of, is_data, is_folder, unread_sentence
from rexdense.engine.config.load import innermost_dataset, set_num_classes
from rexdense.errors import DataError, InvalidArgument, some_of
from rexdense.registry import DATASETS
from rexdense.text_table import text_table

FOLDERS = 'rexdense.ClassificationDataset'
CLASSIFICATION = (FOLDERS, 'rexdense.PublishedDataset')
"""Data sets of images with one class each."""

_MOST_NAMED = 12
_LIST_ENDINGS = ('.txt', '.csv', '.tsv')


def use_image_folder(
    config: Config,
    root: Path,
    splits: Mapping[str, str],
    training: bool,
    classes: Sequence[str] | None,
) -> None:
    """Make the data loaders read a folder, give the model its classes, and print a summary.

    Args:
        root: Folder with class folders for each split, or with a list and a folder.
        splits: The split of each data loader, the training split first.
        training: Whether the model is trained; otherwise only the evaluated split is read.
        classes: Names in the order of the model's labels, if they are already known; None takes
            those of the first split.

    Raises:
        InvalidArgument: the requested split is not that of a list, or a published data set does not
            have it.
        DataError: a split cannot be used, or a class has no training images.
    """
    counts: dict[str, str] = {}
    for loader, split in splits.items():
        section = innermost_dataset(config[loader])
        section.data_root = str(root)
        _choose_split(section, split, of_training=loader == 'train_dataloader')
    for loader in splits:
        section = innermost_dataset(config[loader])
        if section.split not in counts and (training or loader != 'train_dataloader'):
            found = _listed(section, classes)
            classes = found.metainfo['classes']
            if loader == 'train_dataloader':
                _require_images(found, section, classes)
            counts[section.split] = str(len(found))
    for loader in splits:
        section = innermost_dataset(config[loader])
        section.metainfo = dict(section.get('metainfo') or {}, classes=tuple(classes))
    if is_main_process():
        print(text_table([['', *counts], ['images', *counts.values()]]))
        print(f'{len(classes)} classes: {some_of(classes, _MOST_NAMED)}')
    set_num_classes(config, len(classes))


def _choose_split(section: ConfigDict, split: str, of_training: bool) -> None:
    """Make a data set read a split: its class folders or, if there are none, the list
    ``<split>.txt``, ``.csv`` or ``.tsv`` below the root.

    Args:
        of_training: Whether it is the training data set, whose split cannot be chosen.
    """
    own = section.setdefault('split', split)
    # val is the name of the split if none was chosen.
    chosen = not of_training and split not in (own, 'val')
    if section.type == FOLDERS and section.get('ann_file'):
        if chosen:
            raise InvalidArgument(
                f'--split {split} goes with folders by class; this config reads the list '
                f'{section.ann_file}: set --cfg-options test_dataloader.dataset.ann_file'
            )
        return
    if chosen:
        section.split = own = split
    if section.type != FOLDERS:
        return
    root = Path(section.data_root)
    folder = root / own
    if folder.is_dir() and any(
        is_data(each.name) and is_folder(each) for each in entries_of(folder)
    ):
        return
    lists = [name for name in map(own.__add__, _LIST_ENDINGS) if (root / name).is_file()]
    if lists:
        section.ann_file = lists[0]


def _listed(section: ConfigDict, classes: Sequence[str] | None) -> Any:
    """Return the data set of a section with its files listed."""
    settings = {**section, 'pipeline': []}
    if classes is not None:
        settings['metainfo'] = dict(settings.get('metainfo') or {}, classes=tuple(classes))
    return DATASETS.build(settings)


def _require_images(found: Any, section: ConfigDict, classes: Sequence[str]) -> None:
    """Raise DataError if a class has no training images."""
    counts = np.bincount(found.labels, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        raise DataError(
            f'{Path(section.data_root) / section.split} has no image of {len(empty)} of the '
            f'{len(classes)} classes ({some_of(empty, _MOST_NAMED)}): put some there, or take the '
            'class out'
            + (f'; {unread_sentence(found.unread_images)}' if found.unread_images else '')
        )
