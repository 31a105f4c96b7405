"""Arguments at random: networks are built on torch's meta device, and give what they say."""

import dataclasses
import random
from collections.abc import Callable
from functools import cache, partial
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

import rexdense
from rexdense.arch.named import ARCHITECTURES
from rexdense.engine.config.load import load_config
from rexdense.engine.config.override import override
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.unet import UNetDecoder
from tests.fuzzing.damage import odd_value
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.tiny_run import CONFIG, ROOT, SEGMENTATION_CONFIG

__all__ = ['ARGUMENTS']

_SMALL = ('rexnet_1.0', 'rexnetr_1.0', 'rexnet_lite_1.0', 'regnetx_200mf', 'regnety_400mf')
_LIKELY: dict[str, Any] = {
    'out_indices': [(0, 1, 2, 3, 4), (-1,), (4,), (0, 4), [1, 2], 3, (5,), (-6,), (1, 1)],
    'in_channels': [1, 3, 4],
    'frozen_stages': [-1, 0, 1, 4, 5, 6],
    'output_stride': [8, 16, 32, 4, 64],
    'drop_path_rate': [0.0, 0.2, 0.999, 1.0],
    'norm_cfg': [
        {'type': 'BN'},
        {'type': 'GN', 'num_groups': 1},
        {'type': 'IN'},
        {'type': 'SyncBN'},
    ],
    'with_cp': [True, 'activations'],
    'width_mult': [0.5, 1.3, 0.1, 3],
    'depth_mult': [0.5, 2.0],
    'output_strides': ['all', 1, 32, [1, 2], (4, 8)],
    'num_classes': [1, 19],
    'decoder_channels': [(16, 16, 16, 16, 16), [8, 4], 16],
    'skip': ['sum', 'concat'],
    'block': ['rexnet', 'conv'],
}


def _drawn(draw: random.Random, names: list[str], most: int) -> dict[str, Any]:
    chosen = draw.sample(names, draw.randrange(min(most, len(names)) + 1))
    return {
        name: draw.choice(_LIKELY[name])
        if name in _LIKELY and draw.random() < 0.7
        else odd_value(draw)
        for name in chosen
    }


@cache
def _backbone_arguments(name: str) -> list[str]:
    own = [field.name for field in dataclasses.fields(ARCHITECTURES[name])]
    shared = [each for each in signature(Backbone.__init__).parameters if each in _LIKELY]
    return [*shared, *own, 'init_cfg', 'nonsense']


def _backbone(name: str, arguments: dict[str, Any], draw: random.Random) -> None:
    with torch.device('meta'):
        backbone = rexdense.create_backbone(name, **arguments)
        channels = arguments.get('in_channels', 3)
        height, width = draw.randrange(1, 200), draw.randrange(1, 200)
        found = backbone.eval()(torch.empty(2, channels, height, width))
    assert [tuple(each.shape) for each in found] == [
        (2, level.channels, -(-height // level.stride), -(-width // level.stride))
        for level in backbone.out_levels
    ], (height, width)


def _unet(name: str, arguments: dict[str, Any], draw: random.Random) -> None:
    classes = arguments.pop('num_classes', 3)
    with torch.device('meta'):
        unet = rexdense.create_unet(name, classes, **arguments).eval()
        height, width = draw.randrange(1, 200), draw.randrange(1, 200)
        found = unet(torch.empty(2, arguments.get('in_channels', 3), height, width))
    if not isinstance(found, dict):
        found = {arguments.get('output_strides', 1): found}
    for stride, logits in found.items():
        sides = (-(-height // stride), -(-width // stride))
        assert tuple(logits.shape) == (2, classes, *sides), (stride, height, width, logits.shape)


def _backbone_case(folder: Path, draw: random.Random) -> Callable[[], object]:
    name = draw.choice(_SMALL)
    arguments = _drawn(draw, _backbone_arguments(name), 4)
    return partial(_backbone, name, arguments, draw)


def _unet_case(folder: Path, draw: random.Random) -> Callable[[], object]:
    names = list(signature(UNetDecoder.__init__).parameters)[2:]
    return partial(_unet, draw.choice(_SMALL), _drawn(draw, [*names, 'in_channels'], 3), draw)


def _size_case(folder: Path, draw: random.Random) -> Callable[[], object]:
    likely = {name: _LIKELY[name] for name in ('output_stride', 'out_indices')}
    arguments = {
        name: draw.choice(values[:3]) for name, values in likely.items() if draw.random() < 0.7
    }
    build = draw.choice([_backbone, _unet])
    return partial(build, draw.choice(_SMALL), arguments if build is _backbone else {}, draw)


@cache
def _config(file: str) -> Config:
    return load_config(ROOT / file)


def _keys(node: Any, path: str = '') -> list[str]:
    """Return the dotted keys of all values of a config."""
    parts = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for name, value in parts:
        key = f'{path}.{name}' if path else str(name)
        found.append(key)
        if isinstance(value, (dict, list)):
            found += _keys(value, key)
    return found


@cache
def _config_keys(file: str) -> list[str]:
    return [key for key in _keys(_config(file).to_dict()) if not key.startswith('_')]


def _overridden(file: str, assignments: dict[str, Any]) -> None:
    # What classes of mmdet and mmseg make of odd values is theirs.
    override(Config(_config(file).to_dict()), assignments)


def _config_case(folder: Path, draw: random.Random) -> Callable[[], object]:
    file = draw.choice([CONFIG, SEGMENTATION_CONFIG, CLASSIFICATION_CONFIG])
    keys = [key for key in _config_keys(file) if not key.startswith('model') or draw.random() < 0.5]
    keys += [f'model.{name}' for name in ('backbone.arch', 'backbone.out_indices', 'nek', '', '.')]
    chosen = draw.sample(keys, draw.choice([1, 1, 2]))
    return partial(_overridden, file, {key: odd_value(draw) for key in chosen})


class _Target:
    """A function that draws a case."""

    def __init__(self, case: Callable[[Path, random.Random], Callable[[], object]]) -> None:
        self.case = case


ARGUMENTS = {
    'backbone arguments': _Target(_backbone_case),
    'decoder shapes': _Target(_unet_case),
    'image sizes': _Target(_size_case),
    'config overrides': _Target(_config_case),
}
