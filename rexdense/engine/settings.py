"""What the options of a program change in a config."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from rexdense.datasets.coco_folder import CocoFolder, summary
from rexdense.device import amp_wrapper, choose_device, initialise_distributed
from rexdense.engine.config import (
    dataloader_names,
    innermost_dataset,
    set_epochs,
    set_num_classes,
    set_scale,
    walk,
)
from rexdense.engine.learning_rate import set_learning_rate
from rexdense.engine.overrides import override
from rexdense.errors import InvalidArgument

__all__ = ['apply_run_options', 'apply_training_options']

DATASET = 'rexdense.CocoDataset'


def apply_run_options(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None = None,
) -> str:
    """Change a config as the data and run options say; return the device.

    Args:
        classes: Names in the order of the model's labels, where they are known before.

    Raises:
        RexdenseError: an option is outside what is allowed, or the data cannot be used.
    """
    device = choose_device(options.device)
    if options.launcher == 'pytorch':
        initialise_distributed(device)
        config.launcher = 'pytorch'
    if options.cfg_options:
        override(config, options.cfg_options)
    if options.work_dir:
        config.work_dir = str(options.work_dir)
    elif not config.get('work_dir'):
        config.work_dir = str(Path('work_dirs') / Path(config.filename).stem)
    if options.data_root is not None:
        _use_coco_folder(config, options, training, classes)
    elif options.classes:
        raise InvalidArgument('--classes goes with --data-root')
    elif classes:
        _state_classes(config, classes)
    if options.scale:
        set_scale(config, options.scale)
    for name in dataloader_names(config):
        loader = config[name]
        if options.batch_size and (name == 'train_dataloader' or not training):
            loader.batch_size = options.batch_size
        if options.workers is not None:
            loader.num_workers = options.workers
        if loader.get('num_workers', 0) == 0:
            loader.persistent_workers = False
    return device


def _use_coco_folder(
    config: Config, options: argparse.Namespace, training: bool, classes: Sequence[str] | None
) -> None:
    """Make all data loaders and evaluators read the folder, and the model know its classes."""
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
        classes, table = contents.classes, summary({'val': contents})
    if is_main_process():
        print(table)
    for name in dataloader_names(config):
        dataset = innermost_dataset(config[name])
        if dataset.get('type') != DATASET:
            raise InvalidArgument(
                f'--data-root: {name} of this config reads {dataset.get("type")}, not a COCO '
                f'folder; it goes with configs whose data sets are {DATASET}'
            )
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


def _state_classes(config: Config, classes: Sequence[str]) -> None:
    """Give the label order to the data sets that would take it from their annotation file."""
    for name in dataloader_names(config):
        dataset = innermost_dataset(config[name])
        if dataset.get('type') == DATASET and 'classes' not in (dataset.get('metainfo') or {}):
            dataset.metainfo = dict(classes=tuple(classes))


def apply_training_options(config: Config, options: argparse.Namespace, device: str) -> None:
    """Change a config as the training options say, and print the learning rate that was chosen."""
    if options.epochs:
        set_epochs(config, options.epochs)
    if options.seed is not None:
        config.randomness = dict(config.get('randomness') or {}, seed=options.seed)
    if options.load_from:
        config.load_from = options.load_from
    if options.amp:
        config.optim_wrapper.update(amp_wrapper(device))
    chosen = set_learning_rate(config, options.lr)
    if is_main_process():
        print(chosen)
