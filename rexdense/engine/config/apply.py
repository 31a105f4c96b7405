"""Changes to a config by the options of a program."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process

from rexdense.checkpoint.details import taught_classes
from rexdense.device import (
    amp_wrapper,
    choose_device,
    device_sentence,
    has_begun,
    initialise_distributed,
    may_restart,
)
from rexdense.engine.config.ascend import suit_ascend
from rexdense.engine.config.cascade import require_stages
from rexdense.engine.config.checks.mask_transforms import require_masks_that_follow
from rexdense.engine.config.checks.windows import require_windows
from rexdense.engine.config.data_root import VALIDATION, state_classes, use_data_root
from rexdense.engine.config.followers import follow_pyramid_channels, follow_strides
from rexdense.engine.config.learning_rate import set_learning_rate
from rexdense.engine.config.load import (
    class_name,
    dataloader_names,
    set_epochs,
    set_scale,
    walk,
)
from rexdense.engine.config.override import NEEDED, override
from rexdense.engine.config.pieces import add_pieces
from rexdense.engine.config.pretrained import use_pretrained
from rexdense.engine.report.main_metric import keep_best, stop_early
from rexdense.engine.report.trackers import use_tensorboard, use_wandb
from rexdense.engine.resume.checkpoints import find_checkpoint, newest_checkpoint
from rexdense.engine.zero import share_moments
from rexdense.errors import InvalidArgument

_FOR_ACCELERATORS = ('AmpOptimWrapper', 'ApexOptimWrapper')
_OF_MIXED_PRECISION = ('dtype', 'loss_scale', 'use_fsdp', 'opt_level')
"""Arguments of these wrappers of mmengine that other wrappers do not take."""

_SYNC_BN = ('SyncBN', 'MMSyncBN', 'SyncBatchNorm')


def apply_run_options(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None = None,
    split: str = VALIDATION,
) -> str:
    """Change a config according to the data and run options; return the device.

    Args:
        classes: Names in the order of the model's labels, if they are already known.
        split: The split of the folder to evaluate.
    """
    device = choose_device(options.device)
    if options.pieces:
        add_pieces(config, options.pieces)
    if options.cfg_options:
        override(config, options.cfg_options)
    if training:
        _require_whole(config)
    launcher = options.launcher if options.launcher != 'none' else config.get('launcher', 'none')
    if launcher != 'none':
        _require_no_sync_bn(config, device)
        waiting = (config.get('env_cfg') or {}).get('dist_cfg') or {}
        initialise_distributed(device, launcher, waiting.get('timeout'))
        config.launcher = launcher
    if options.device == 'auto' and is_main_process():
        print(device_sentence(device))
    if device == 'npu':
        suit_ascend(config)
    changed = [*follow_pyramid_channels(config.model), *follow_strides(config.model)]
    if changed and is_main_process():
        print(f"The model follows the backbone's levels: {'; '.join(changed)}")
    require_windows(config)
    require_stages(config.get('model') or {})
    if options.work_dir:
        config.work_dir = str(options.work_dir)
    elif not config.get('work_dir'):
        names = [Path(name).stem for name in (config.filename, *(options.pieces or ()))]
        config.work_dir = str(Path('work_dirs') / '_'.join(names))
    if training:
        _go_on_after_restart(config, options)
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
    if options.coco_backend:
        _set_coco_backend(config, options.coco_backend)
    return device


def _require_whole(config: Config) -> None:
    """Check that a config has all sections for training.

    Raises:
        InvalidArgument: a section is missing.
    """
    lacking = [name for name in NEEDED if not config.get(name)]
    if lacking:
        raise InvalidArgument(
            f'config file {config.filename} has no {", ".join(lacking)}: begin with a _base_ that '
            'has, such as one of rexdense configs'
        )


def _go_on_after_restart(config: Config, options: argparse.Namespace) -> None:
    """Resume a run that torchrun has restarted, if it has saved a checkpoint. The first process
    decides for all.

    Raise InvalidArgument for a run with ``--overwrite``, which could resume from the checkpoints of
    the run that it replaces.
    """
    if may_restart() and options.overwrite and not options.resume:
        raise InvalidArgument(
            '--overwrite with --max-restarts of torchrun: the run would go on from the '
            'checkpoints that it is to replace; empty the work dir, or choose another --work-dir'
        )
    if not may_restart():
        return
    found = [has_begun(config.work_dir) and newest_checkpoint(config.work_dir) is not None]
    broadcast_object_list(found)
    if found[0] and not options.resume:
        options.resume = True
        if is_main_process():
            print('Started anew by torchrun: the run goes on', flush=True)


def _set_coco_backend(config: Config, backend: str) -> None:
    """Set the backend of COCO's metrics."""
    sections = [
        each for key in ('val_evaluator', 'test_evaluator') for each in walk(config.get(key))
    ]
    of_coco = [each for each in sections if each.get('type') == 'rexdense.CocoMetric']
    if not of_coco:
        raise InvalidArgument(
            f'--coco-backend {backend}: the config measures by no rexdense.CocoMetric; leave it out'
        )
    for section in of_coco:
        section.backend = backend


def _require_no_sync_bn(config: Config, device: str) -> None:
    """Raise InvalidArgument for SyncBN on a CPU, where torch does not support it."""
    asked = any(class_name(section) in _SYNC_BN for section in walk(config.model))
    if device == 'cpu' and (asked or config.get('sync_bn')):
        raise InvalidArgument(
            "batch normalisation over all processes (SyncBN) needs CUDA or an NPU: give type='BN' "
            'in its norm_cfg, and leave sync_bn out'
        )


def _require_two_images(config: Config) -> None:
    """Raise InvalidArgument unless a batch has two images for mixup and CutMix."""
    if config.model.get('batch_augments') and config.train_dataloader.get('batch_size') == 1:
        raise InvalidArgument(
            'mixup and CutMix (model.batch_augments) mix the images of a batch, and each has one: '
            'give --batch-size 2 or more, or --cfg-options model.batch_augments=None'
        )


def _taught_classes(work_dir: str) -> tuple[str, ...] | None:
    """Return the classes of the run in a work directory, in the order of its labels."""
    found, _ = find_checkpoint(work_dir)
    return None if found is None else taught_classes(dict(meta=found.meta), found.path)


def _set_saving(config: Config, option: str, key: str, value: str | float) -> None:
    """Set an argument of the checkpoint hook, see
    :class:`rexdense.engine.resume.saving.KeepCheckpoints`."""
    hooks = config.setdefault('default_hooks', {})
    hook = hooks.setdefault('checkpoint', dict(type='CheckpointHook', interval=1))
    if hook is None:
        raise InvalidArgument(
            f'{option} {value}: default_hooks.checkpoint of the config is None, which '
            'saves nothing; leave that line out'
        )
    hook[key] = value


def set_precision(config: Config, amp: str | None, device: str) -> None:
    """Set mixed precision in a config, if requested. Raise InvalidArgument if the device cannot
    train in this type, or with the setting of the config.

    Args:
        amp: 'auto' or a key of :data:`rexdense.device.AMP_TYPES`; None keeps the config's setting.
    """
    wrapper = config.optim_wrapper
    if amp:
        for key in _OF_MIXED_PRECISION:
            wrapper.pop(key, None)
        wrapper.update(amp_wrapper(device, None if amp == 'auto' else amp))
    elif device == 'cpu' and class_name(wrapper) in _FOR_ACCELERATORS:
        raise InvalidArgument(
            f'optim_wrapper.type={class_name(wrapper)} of the config trains on accelerators alone; '
            'on a CPU give --amp bf16, or --cfg-options optim_wrapper.type=OptimWrapper'
        )


def apply_training_options(config: Config, options: argparse.Namespace, device: str) -> None:
    """Change a config according to the training options; print the weights and the learning
    rate."""
    if options.epochs:
        set_epochs(config, options.epochs)
    if options.seed is not None:
        config.randomness = dict(config.get('randomness') or {}, seed=options.seed)
    if options.deterministic:
        config.randomness = dict(config.get('randomness') or {}, deterministic=True)
        # cuBLAS reads it when a process first uses it (CUDA's manual, "Results reproducibility").
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    if options.checkpoint_every:
        _set_saving(config, '--checkpoint-every', 'every', options.checkpoint_every)
    if options.wait_for_disk:
        _set_saving(config, '--wait-for-disk', 'wait_for_disk', options.wait_for_disk)
    if options.load_from:
        config.load_from = options.load_from
    if options.cache:
        # All downloads read it, in other processes too.
        os.environ['REXDENSE_CACHE'] = str(options.cache)
    if options.pretrained:
        if options.load_from:
            raise InvalidArgument(
                '--load-from fills the whole model and --pretrained its backbone: give one'
            )
        said = use_pretrained(config, options.pretrained)
        if is_main_process():
            print(said)
    _require_two_images(config)
    require_masks_that_follow(config.get('train_dataloader') or {})
    if options.accumulate:
        config.optim_wrapper.accumulative_counts = options.accumulate
    keep_best(config)
    if options.early_stop:
        stop_early(config, options.early_stop)
    if options.tensorboard:
        use_tensorboard(config)
    if options.wandb is not None:
        use_wandb(config, options.wandb)
    set_precision(config, options.amp, device)
    chosen = set_learning_rate(config, options.lr)
    if options.zero:
        share_moments(config)
    if is_main_process():
        print(chosen)
