"""Options of runs that several programs share: the data, the config, training."""

import argparse
import re
from pathlib import Path

from mmengine.config import DictAction

from rexdense.cli.model_options import add_device_option
from rexdense.cli.parser import (
    checkpoint_interval,
    not_empty,
    parse_size,
    positive,
    random_seed,
)
from rexdense.datasets.coco.folder import CocoFolder
from rexdense.device import AMP_TYPES, LAUNCHERS
from rexdense.errors import InvalidArgument
from rexdense.evaluation.coco_evaluation import BACKENDS

# mmengine reads numbers, words and lists of these, and recurses infinitely on dict(a=1,b=2). Braces
# in a word, such as {:06d}.pth in a file name, are no section.
_SECTION = re.compile(
    r'[^=]*=(.*[(\[,])?[\s\'"]*(dict\(|\{\s*[^\s{}:][^{}:]*:.*\}[\s\'")\]]*(,|$))'
)


class _Assignments(DictAction):
    """Collect KEY=VALUE arguments; an argument without = is a usage error and not a crash."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        for value in values:
            if _SECTION.match(value):
                raise InvalidArgument(
                    f'{option_string} {value}: a value is a number, a word or a list of these; '
                    'give the keys of a section one by one, such as '
                    'optim_wrapper.optimizer.type=AdamW optim_wrapper.optimizer.lr=0.001, or write '
                    'it into a config'
                )
        try:
            super().__call__(parser, namespace, values, option_string)
        except (AssertionError, RecursionError, ValueError) as error:
            raise InvalidArgument(
                f'{option_string} {" ".join(values)}: give KEY=VALUE, such as '
                'train_cfg.max_epochs=12 or model.backbone.out_indices=[1,2,3]'
            ) from error


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on the place of a data set."""
    group = parser.add_argument_group('data')
    group.add_argument(
        '--data-root',
        type=Path,
        help='folder with images/ and annotations/, labels/ or depth/, or in the layout of '
        "Roboflow, CVAT, COCO or Pascal VOC; default: the config's",
    )
    # No defaults here, so that given options can be distinguished.
    group.add_argument(
        '--images',
        help=f'COCO form: folder of the images, below the data root; default: {CocoFolder.images}',
    )
    group.add_argument(
        '--train-annotations',
        help=f'COCO form: file below the data root; default: {CocoFolder.train}',
    )
    group.add_argument(
        '--val-annotations', help=f'COCO form: file below the data root; default: {CocoFolder.val}'
    )
    group.add_argument(
        '--classes',
        nargs='+',
        help='COCO form: class names to use; default: all in the training annotations',
    )
    group.add_argument(
        '--scale', type=parse_size, metavar='W,H', help='size in pixels that images are resized to'
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of all runs over a data set."""
    group = parser.add_argument_group('run')
    group.add_argument(
        '--work-dir',
        type=Path,
        help='folder for all results; default: work_dirs/ + the config name',
    )
    add_device_option(group)
    group.add_argument(
        '--batch-size', type=positive(int), metavar='N', help='images per step on each device'
    )
    group.add_argument(
        '--workers',
        type=positive(int, or_zero=True),
        metavar='N',
        help='loader processes on each device; 0 loads in the main process',
    )
    group.add_argument(
        '--coco-backend',
        choices=tuple(BACKENDS),
        help='computes AP: pycocotools, or faster-coco-eval with the same figures in less time; '
        "default: the config's",
    )
    group.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        default='none',
        help='the launcher of several processes; pytorch is torchrun',
    )
    add_config_options(group)


def add_config_options(parser: argparse._ActionsContainer) -> None:
    """Add the options that change the config."""
    parser.add_argument(
        '--with',
        dest='pieces',
        nargs='+',
        metavar='PIECE',
        help='parts of recipes, such as 3x or 1200x800: files in configs/_base_/pieces, or paths',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_Assignments,
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
    group.add_argument(
        '--seed',
        type=random_seed,
        metavar='N',
        help='seed of weights, order and augmentation',
    )
    group.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=('auto', *AMP_TYPES),
        help='mixed precision; auto: fp16 on accelerators, bf16 on a cpu',
    )
    _add_weight_options(group)
    _add_long_run_options(group)


def _add_weight_options(group: argparse._ActionsContainer) -> None:
    """Add the options on the initial weights of a training."""
    group.add_argument(
        '--load-from',
        type=not_empty,
        metavar='FILE',
        help='start from the weights of a checkpoint; layers of other classes start anew',
    )
    group.add_argument(
        '--pretrained',
        type=not_empty,
        metavar='NAME|FILE',
        help='start the backbone from published weights (clovaai, timm.nav_in1k, best; rexdense '
        'zoo --weights lists them) or a checkpoint, and use their preprocessing',
    )
    group.add_argument(
        '--cache',
        type=Path,
        metavar='DIR',
        help="folder for downloaded weights; default: REXDENSE_CACHE, or that of torch's hub",
    )


def _add_long_run_options(group: argparse._ActionsContainer) -> None:
    """Add the options on when a training saves, steps, ends, logs and resumes."""
    group.add_argument(
        '--checkpoint-every',
        type=checkpoint_interval,
        metavar='500i|10min',
        help='also save after so many steps or minutes; default: only after epochs, or as in the '
        'config',
    )
    group.add_argument(
        '--wait-for-disk',
        type=positive(float),
        metavar='MINUTES',
        help='wait so long for room on a full disk; default: end at once',
    )
    group.add_argument(
        '--deterministic',
        action='store_true',
        help='on accelerators use deterministic operations where there are any; slower',
    )
    group.add_argument(
        '--accumulate',
        type=positive(int),
        metavar='N',
        help='add up the gradients of N batches before a step, like a batch N times as large',
    )
    group.add_argument(
        '--zero',
        action='store_true',
        help='several processes: each keeps a share of the optimizer moments (ZeRO)',
    )
    group.add_argument(
        '--early-stop',
        type=positive(int),
        metavar='N',
        help='end after N validations in a row without an improvement of the main metric (AP, '
        'mIoU, top-1, abs_rel)',
    )
    group.add_argument(
        '--tensorboard', action='store_true', help='also log for TensorBoard, into the work dir'
    )
    group.add_argument(
        '--wandb', metavar='PROJECT', help='also log to Weights & Biases, as a run of PROJECT'
    )
    group.add_argument('--resume', action='store_true', help='continue the run in the work dir')
    group.add_argument(
        '--overwrite', action='store_true', help='replace the results of an earlier run there'
    )
