"""What --data-root changes in a config: the folder is checked, and all loaders read it."""

import argparse
import os
from collections.abc import Callable, Sequence

from mmengine.config import Config
from mmengine.dist import is_main_process

from rexdense.datasets import coco_folder, segmentation_folder
from rexdense.datasets.coco_folder import CocoFolder
from rexdense.datasets.segmentation_folder import SegmentationFolder
from rexdense.engine.config import dataloader_names, innermost_dataset, set_num_classes, walk
from rexdense.errors import InvalidArgument

__all__ = ['state_classes', 'use_data_root']

COCO, SEGMENTATION = 'rexdense.CocoDataset', 'rexdense.SegmentationDataset'


def use_data_root(
    config: Config, options: argparse.Namespace, training: bool, classes: Sequence[str] | None
) -> None:
    """Make all data loaders and evaluators read the folder, and the model know its classes.

    Args:
        training: Check the training split too, and take the classes from it.
        classes: Names in the order of the model's labels, where they are known before.

    Raises:
        InvalidArgument: the config's data sets are of a kind that reads no such folder, or an
            option does not go with it.
        DataError: the folder cannot be used.
    """
    kinds = {str(innermost_dataset(config[name]).get('type')) for name in dataloader_names(config)}
    if len(kinds) != 1 or not kinds <= set(_READERS):
        raise InvalidArgument(
            f'--data-root: this config reads {" and ".join(sorted(kinds))}; it goes with configs '
            f'whose data sets are all {" or all ".join(_READERS)}'
        )
    _READERS[kinds.pop()](config, options, training, classes)


def state_classes(config: Config, classes: Sequence[str]) -> None:
    """Give the label order to the data sets that would take it from their annotation file."""
    for name in dataloader_names(config):
        dataset = innermost_dataset(config[name])
        if dataset.get('type') == COCO and 'classes' not in (dataset.get('metainfo') or {}):
            dataset.metainfo = dict(classes=tuple(classes))


def _use_coco_folder(
    config: Config, options: argparse.Namespace, training: bool, classes: Sequence[str] | None
) -> None:
    """Read a folder in COCO form."""
    folder = CocoFolder(
        options.data_root,
        images=options.images,
        train=options.train_annotations,
        val=options.val_annotations,
    )
    wanted = options.classes or classes
    need_masks = any(section.get('with_mask') for section in walk(config.get('train_dataloader')))
    if training:
        checked = folder.check(wanted, need_masks)
        classes, table = checked.classes, checked.summary()
    else:
        contents = folder.read('val', wanted, need_masks)
        classes, table = contents.classes, coco_folder.summary({'val': contents})
    if is_main_process():
        print(table)
    for name in dataloader_names(config):
        dataset = innermost_dataset(config[name])
        is_train = name == 'train_dataloader'
        dataset.update(
            data_root=str(options.data_root),
            ann_file=options.train_annotations if is_train else options.val_annotations,
            data_prefix=dict(img=options.images.rstrip('/') + '/'),
            metainfo=dict(classes=tuple(classes)),
        )
    for name in ('val_evaluator', 'test_evaluator'):
        for evaluator in walk(config.get(name)):
            if 'ann_file' in evaluator:
                evaluator.ann_file = os.path.join(options.data_root, options.val_annotations)
    set_num_classes(config, len(classes))


def _use_segmentation_folder(
    config: Config, options: argparse.Namespace, training: bool, classes: Sequence[str] | None
) -> None:
    """Read a folder of images and label maps."""
    if options.classes:
        raise InvalidArgument(
            '--classes goes with folders in COCO form; the classes of label maps are those of '
            f'{segmentation_folder.CLASS_FILE}'
        )
    folder = SegmentationFolder(options.data_root)
    names, palette = folder.classes()
    checked = {split: folder.check(split) for split in (('train', 'val') if training else ('val',))}
    if is_main_process():
        print(segmentation_folder.summary(names, checked))
    for loader in dataloader_names(config):
        innermost_dataset(config[loader]).update(
            data_root=str(options.data_root), metainfo=dict(classes=names, palette=palette)
        )
    set_num_classes(config, len(names))


_READERS: dict[str, Callable[..., None]] = {
    COCO: _use_coco_folder,
    SEGMENTATION: _use_segmentation_folder,
}
