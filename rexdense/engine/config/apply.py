"""Changes that the options of a program make in a config."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from rexdense.device import amp_wrapper, choose_device, initialise_distributed
from rexdense.engine.config.batch_mix import require_two_images
from rexdense.engine.config.data_root import VALIDATION, state_classes, use_data_root
from rexdense.engine.config.followers import follow_strides
from rexdense.engine.config.learning_rate import set_learning_rate
from rexdense.engine.config.load import dataloader_names, set_epochs, set_scale
from rexdense.engine.config.override import override
from rexdense.engine.config.pieces import add_pieces
from rexdense.engine.config.pretrained import use_pretrained
from rexdense.engine.config.windows import require_windows
from rexdense.engine.training_file import read_training_file
from rexdense.engine.work_dir import newest_checkpoint
from rexdense.errors import InvalidArgument

__all__ = ['apply_run_options', 'apply_training_options']


def apply_run_options(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None = None,
    split: str = VALIDATION,
) -> str:
    """Change a config as the data and run options say; return the device.

    Args:
        classes: Names in the order of the model's labels, where they are known before.
        split: The one of the folder that is measured.

    Raises:
        RexdenseError: an option is outside what is allowed, or the data cannot be used.
    """
    device = choose_device(options.device)
    if options.pieces:
        add_pieces(config, options.pieces)
    if options.cfg_options:
        override(config, options.cfg_options)
    if 'pytorch' in (options.launcher, config.get('launcher')):
        initialise_distributed(device)
        config.launcher = 'pytorch'
    changed = follow_strides(config.model)
    if changed and is_main_process():
        print(f"Strides follow the backbone's levels: {'; '.join(changed)}")
    require_windows(config)
    if options.work_dir:
        config.work_dir = str(options.work_dir)
    elif not config.get('work_dir'):
        names = [Path(name).stem for name in (config.filename, *(options.pieces or ()))]
        config.work_dir = str(Path('work_dirs') / '_'.join(names))
    if training and options.resume:
        classes = _taught_classes(config.work_dir)
    use_data_root(config, options, training, classes, split)
    if options.data_root is None and classes and not training:
        state_classes(config, classes)
    if options.scale:
        set_scale(config, options.scale)
    for name in dataloader_names(config):
        loader = config[name]
        if options.batch_size and (name == 'train_dataloader' or not training):
            loader.batch_size = options.batch_size
        if options.workers is not None:
            loader.num_workers = options.workers
    return device


def _taught_classes(work_dir: str) -> tuple[str, ...] | None:
    """Return the classes of the run in a work directory, in the order of its labels."""
    checkpoint = newest_checkpoint(work_dir)
    return None if checkpoint is None else read_training_file(checkpoint).classes


def apply_training_options(config: Config, options: argparse.Namespace, device: str) -> None:
    """Change a config as the training options say; print the weights and the learning rate that
    were chosen.

    Raises:
        RexdenseError: the weights cannot be used.
    """
    if options.epochs:
        set_epochs(config, options.epochs)
    if options.seed is not None:
        config.randomness = dict(config.get('randomness') or {}, seed=options.seed)
    if options.load_from:
        config.load_from = options.load_from
    if options.cache:
        # Read by all that download, in other processes too.
        os.environ['REXDENSE_CACHE'] = str(options.cache)
    if options.pretrained:
        if options.load_from:
            raise InvalidArgument(
                '--load-from fills the whole model and --pretrained its backbone: give one'
            )
        said = use_pretrained(config, options.pretrained)
        if is_main_process():
            print(said)
    require_two_images(config)
    if options.amp:
        config.optim_wrapper.update(amp_wrapper(device))
    chosen = set_learning_rate(config, options.lr)
    if is_main_process():
        print(chosen)
