"""The options that the programs share, and what each of them changes in a config."""

import argparse
import math
import os
from pathlib import Path

from mmengine.config import Config, DictAction

from rexdense.datasets.coco_folder import CocoFolder, summary
from rexdense.device import DEVICES, amp_wrapper, choose_device, initialise_distributed
from rexdense.engine.command_line import parse_size, positive
from rexdense.engine.config import (
    dataloader_names,
    override,
    set_epochs,
    set_num_classes,
    set_scale,
)
from rexdense.errors import InvalidArgument

__all__ = [
    'add_data_options',
    'add_run_options',
    'add_training_options',
    'apply_run_options',
    'apply_training_options',
]


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a data set in COCO form lies."""
    group = parser.add_argument_group('data')
    group.add_argument(
        '--data-root',
        type=Path,
        help='folder with images/ and annotations/; default: the config says',
    )
    group.add_argument(
        '--images', default='images', help='folder of the images, below the data root'
    )
    group.add_argument(
        '--train-annotations', default='annotations/train.json', help='below the data root'
    )
    group.add_argument(
        '--val-annotations', default='annotations/val.json', help='below the data root'
    )
    group.add_argument(
        '--classes', nargs='+', help='class names to use; default: all in the training annotations'
    )
    group.add_argument(
        '--scale', type=parse_size, metavar='W,H', help='size in pixels that images are scaled into'
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every run."""
    group = parser.add_argument_group('run')
    group.add_argument(
        '--work-dir',
        type=Path,
        help='folder for all results; default: work_dirs/ + the config name',
    )
    group.add_argument(
        '--device', choices=DEVICES, help='default: the accelerator that is found, else cpu'
    )
    group.add_argument(
        '--batch-size', type=positive(int), metavar='N', help='images a step on each device'
    )
    group.add_argument('--workers', type=int, metavar='N', help='loader processes on each device')
    group.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 on accelerators, bfloat16 on a cpu',
    )
    group.add_argument(
        '--launcher',
        choices=('none', 'pytorch'),
        default='none',
        help='pytorch: started by torchrun',
    )
    group.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='set any value of the config',
    )


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of training."""
    group = parser.add_argument_group('training')
    group.add_argument('--epochs', type=positive(int), metavar='N', help='passes over the data')
    group.add_argument(
        '--lr',
        type=positive(float),
        metavar='X',
        help='learning rate; default: scaled to the batch',
    )
    group.add_argument('--seed', type=int, metavar='N', help='of weights, order and augmentation')
    group.add_argument('--load-from', metavar='FILE', help='start from the weights of a checkpoint')
    group.add_argument('--resume', action='store_true', help='continue the run in the work dir')
    group.add_argument(
        '--overwrite', action='store_true', help='replace the checkpoints of an earlier run there'
    )


def apply_run_options(config: Config, options: argparse.Namespace, training: bool) -> str:
    """Change a config as the data and run options say; return the device.

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
        _use_coco_folder(config, options, training)
    elif options.classes:
        raise InvalidArgument('--classes goes with --data-root')
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


def _use_coco_folder(config: Config, options: argparse.Namespace, training: bool) -> None:
    folder = CocoFolder(
        options.data_root,
        images=options.images,
        train=options.train_annotations,
        val=options.val_annotations,
    )
    if training:
        contents = folder.check(options.classes)
        classes, table = contents.classes, contents.summary()
    else:
        contents = folder.read('val', options.classes)
        classes, table = contents.classes, summary({'val': contents})
    print(table)
    metainfo = dict(classes=tuple(classes))
    for name in dataloader_names(config):
        dataset = _innermost(config[name].dataset)
        if dataset.get('type') != 'rexdense.CocoDataset':
            raise InvalidArgument(
                f'--data-root: {name} of this config reads {dataset.get("type")}, not a COCO folder'
            )
        annotations = (
            options.train_annotations if name == 'train_dataloader' else options.val_annotations
        )
        dataset.update(
            data_root=str(options.data_root),
            ann_file=annotations,
            data_prefix=dict(img=options.images.rstrip('/') + '/'),
            metainfo=metainfo,
        )
    for name in ('val_evaluator', 'test_evaluator'):
        if config.get(name):
            config[name].ann_file = os.path.join(options.data_root, options.val_annotations)
    set_num_classes(config, len(classes))


def _innermost(dataset: dict) -> dict:
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


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
    _set_learning_rate(config, options)


def _set_learning_rate(config: Config, options: argparse.Namespace) -> None:
    """Scale the rate to the batch: in proportion for SGD (Goyal et al. 2017), by the square root
    for Adam's kind (Malladi et al. 2022), whose steps do not grow with the gradient."""
    optimizer = config.optim_wrapper.optimizer
    batch = config.train_dataloader.batch_size * int(os.environ.get('WORLD_SIZE', 1))
    base = config.get('auto_scale_lr', {}).get('base_batch_size')
    # mmengine would scale once more.
    config.pop('auto_scale_lr', None)
    if options.lr:
        optimizer.lr = options.lr
        print(f'Learning rate {optimizer.lr:g} as given, {optimizer.type}, batch {batch}')
    elif base and base != batch:
        is_adam = 'Adam' in optimizer.type
        factor = math.sqrt(batch / base) if is_adam else batch / base
        stated = optimizer.lr
        optimizer.lr = stated * factor
        print(
            f'Learning rate {optimizer.lr:g}: the config has {stated:g} for {base} images a step, '
            'scaled '
            f'{"by the square root" if is_adam else "in proportion"} to {batch}, {optimizer.type}'
        )
    else:
        print(f'Learning rate {optimizer.lr:g} as in the config, {optimizer.type}, batch {batch}')
