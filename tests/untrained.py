"""Checkpoints of untrained models, in the form of training files."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope

from rexdense.engine.config.load import load_config, set_num_classes, set_scale
from rexdense.engine.config.override import override
from rexdense.registry import MODELS
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.tiny_run import (
    CONFIG,
    FEW_REGIONS,
    MASK_CONFIG,
    NARROW,
    NARROW_MASKS,
    ROOT,
    SEGMENTATION_CONFIG,
    SHALLOW,
)

DEPTH_CONFIG = 'configs/depth/unet_rexnet-1.0_custom.py'
MODELS_OF_EACH_KIND = {
    'boxes': (CONFIG, FEW_REGIONS),
    'masks': (MASK_CONFIG, [*FEW_REGIONS, *NARROW_MASKS]),
    'labels': (SEGMENTATION_CONFIG, [NARROW]),
    'depth': (DEPTH_CONFIG, [NARROW]),
    'class': (CLASSIFICATION_CONFIG, [NARROW]),
}
CLASSES = ('a', 'b', 'c')


def untrained(file: str, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the checkpoint of a model of three classes with weights of seed 0, for images that are
    scaled to fit 64 x 64.

    Args:
        settings: Config values, KEY=VALUE.
    """
    config = load_config(ROOT / file)
    set_num_classes(config, 3)
    set_scale(config, (64, 64))
    pairs = (each.split('=') for each in (SHALLOW, *settings))
    override(config, {key: ast.literal_eval(value) for key, value in pairs})
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        state = MODELS.build(config.model).state_dict()
    text = '\n'.join(f'{key} = {value!r}' for key, value in config.to_dict().items())
    return dict(state_dict=state, meta=dict(cfg=text))


def write_untrained(path: Path, file: str, settings: Sequence[str]) -> Path:
    """Write such a checkpoint and return its path."""
    content = untrained(file, settings)
    content['meta']['dataset_meta'] = dict(classes=CLASSES)
    torch.save(content, path)
    return path


def write_untrained_models(folder: Path) -> dict[str, Path]:
    """Write one checkpoint of each kind and return their paths."""
    return {
        kind: write_untrained(folder / f'{kind}.pth', file, settings)
        for kind, (file, settings) in MODELS_OF_EACH_KIND.items()
    }
