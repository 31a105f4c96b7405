"""Whole models of mmdet or mmseg: as configured, optimised, or with another project's backbone."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from rexdense.arch import architecture, resolve_out_indices
from rexdense.arch.residual import RegNetRule
from rexdense.benchmark.networks import timm_name
from rexdense.benchmark.workloads.network import Timed
from rexdense.deploy import optimize
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.load import load_config
from rexdense.errors import InvalidArgument
from rexdense.models import Backbone
from rexdense.registry import MODELS

_RESNEXT = {
    'resnext50_32x4d': (50, 32, 4),
    'resnext101_32x4d': (101, 32, 4),
    'resnext101_64x4d': (101, 64, 4),
    'resnext101_32x8d': (101, 32, 8),
    'resnext152_32x4d': (152, 32, 4),
}
"""Depth, groups and base width, mmdet's arguments."""
_SAME_WORK = {'type', 'arch', 'init_cfg', 'out_indices', 'norm_cfg'}
_TRAINING_ALONE = {'frozen_stages', 'norm_eval', 'drop_path_rate', 'with_cp', 'recompute'}
"""Arguments of rexdense's backbones that do not change inference."""
_GIVEN_TO_MMDET = {'frozen_stages', 'norm_eval'}


def prepare(task: dict[str, Any]) -> Timed:
    """Return the model of a task, ready to be timed.

    Args:
        task: ``name`` is a config; ``framework`` is 'rexdense', or the project whose backbone
            replaces rexdense's: 'mmdet' or 'timm'.
    """
    model = build_detector(task['name'], task['framework']).eval().to(task['device'])
    if task.get('optimized'):
        dtype = None if task['dtype'] == 'float32' else task['dtype']
        model = optimize(model, dtype, bool(task.get('compiled')))
    return Timed(_predicting(model), task['shape'], False, task['device'])


def _predicting(model: nn.Module) -> Callable[[Tensor], Any]:
    """Return a function from a batch of images to the model's predictions, including NMS."""

    def predict(images: Tensor) -> Any:
        size = tuple(images.shape[2:])
        about = dict(
            img_shape=size,
            ori_shape=size,
            pad_shape=size,
            batch_input_shape=size,
            scale_factor=(1.0, 1.0),
        )
        return model.predict(images, [BaseDataElement(metainfo=about) for _ in images])

    return predict


def build_detector(config: str, framework: str = 'rexdense') -> nn.Module:
    """Return the model of a config, see :func:`build_model`.

    Raises:
        InvalidArgument: the model cannot predict from a batch of images.
    """
    loaded = load_config(config)
    model = build_model(loaded, framework)
    if not callable(getattr(model, 'predict', None)):
        raise InvalidArgument(
            f'{config} has a {loaded.model.type}, which predicts nothing for a batch of images: '
            'give the config of a detector or a segmentor'
        )
    return model


def build_model(config: Config, framework: str = 'rexdense', training: bool = False) -> nn.Module:
    """Return the model of a config with random weights.

    Args:
        framework: 'rexdense', or the project whose backbone replaces rexdense's: 'mmdet' or 'timm'.
        training: Whether training steps must do the same work as with rexdense's backbone.

    Raises:
        ImportError: the project is not installed.
        InvalidArgument: the config has no named backbone of rexdense, or the project lacks it or
            its settings in the config.
    """
    section = config.model
    if framework != 'rexdense':
        name = _name_of(config)
        _require_same_work(section.backbone, framework, training)
    with config_faults():
        if framework == 'mmdet':
            section.backbone = _mmdet_backbone(name, section.backbone)
        model = MODELS.build(section)
    if framework == 'timm':
        timm = importlib.import_module('timm')
        levels = section.backbone.get('out_indices', (1, 2, 3, 4))
        model.backbone = timm.create_model(timm_name(name), features_only=True, out_indices=levels)
    return model


def _require_same_work(backbone: ConfigDict, project: str, training: bool) -> None:
    """Check that a project's backbone does the same work as rexdense's.

    Raises:
        InvalidArgument: rexdense's differs from the network of its name, or is trained differently.
    """
    taken = _SAME_WORK | (set() if training else _TRAINING_ALONE)
    if project == 'mmdet':
        taken |= _GIVEN_TO_MMDET
    else:
        norm = backbone.get('norm_cfg') or dict(type='BN')
        kinds = ('BN',) if training else ('BN', 'SyncBN')
        if norm['type'] not in kinds or (training and not norm.get('requires_grad', True)):
            taken = taken - {'norm_cfg'}
    defaults = inspect.signature(Backbone).parameters
    for name, value in backbone.items():
        default = defaults[name].default if name in defaults else None
        if name not in taken and value != default:
            raise InvalidArgument(
                f'the backbone of the config has {name}={value!r}, which that of {project} does '
                f'not get, so that it would do other work: leave --against {project} out'
            )


def _name_of(config: Config) -> str:
    backbone: ConfigDict = config.model.get('backbone', {})
    name = backbone.get('arch')
    if not isinstance(name, str):
        raise InvalidArgument(
            f'{config.filename} names no backbone of rexdense, which another could stand in for: '
            'leave --against out'
        )
    return name


def _mmdet_backbone(name: str, ours: ConfigDict) -> dict[str, Any]:
    """Return the config of mmdet's backbone of that name, with the settings of rexdense's.

    Raises:
        InvalidArgument: mmdet does not have it, or lacks the levels.
    """
    levels = resolve_out_indices(ours.get('out_indices', (1, 2, 3, 4)))
    if 0 in levels:
        raise InvalidArgument(
            'mmdet has no backbone that returns c1, as the config asks: leave --against mmdet out'
        )
    common = dict(
        norm_cfg=ours.get('norm_cfg') or dict(type='BN'),
        style='pytorch',
        out_indices=tuple(level - 1 for level in levels),
        frozen_stages=ours.get('frozen_stages', -1),
        norm_eval=ours.get('norm_eval', False),
    )
    if name in _RESNEXT:
        depth, groups, width = _RESNEXT[name]
        return dict(type='mmdet.ResNeXt', depth=depth, groups=groups, base_width=width, **common)
    if name.startswith('regnetx_') and architecture(name).family == RegNetRule.family:
        return dict(type='mmdet.RegNet', arch=name, **common)
    raise InvalidArgument(
        f'mmdet has no {name}, but ResNeXt and RegNetX: leave --against mmdet out'
    )
