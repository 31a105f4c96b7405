"""Checkpoints of models that nobody has trained, in the form of a training file."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from rexdense.engine.config.load import set_num_classes, set_scale
from rexdense.registry import MODELS
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.tiny_run import CONFIG, MASK_CONFIG, ROOT, SEGMENTATION_CONFIG

DEPTH_CONFIG = 'configs/depth/unet_rexnet-1.0_custom.py'
FEW_REGIONS = {
    'model.roi_head.bbox_head.fc_out_channels': 32,
    'model.test_cfg.rpn.nms_pre': 50,
    'model.test_cfg.rpn.max_per_img': 20,
}
NARROW = {'model.backbone.width_mult': 0.3}
MODELS_OF_EACH_KIND = {
    'boxes': (CONFIG, FEW_REGIONS),
    'masks': (MASK_CONFIG, FEW_REGIONS),
    'labels': (SEGMENTATION_CONFIG, {}),
    'depth': (DEPTH_CONFIG, {}),
    'class': (CLASSIFICATION_CONFIG, NARROW),
}
CLASSES = ('a', 'b', 'c')


def untrained(file: str, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """The content of the checkpoint of a model of three classes, with weights of seed 0, for images
    that are scaled into 64 x 64.

    Args:
        settings: Values of the config by their dotted keys.
    """
    config = Config.fromfile(ROOT / file)
    set_num_classes(config, 3)
    set_scale(config, (64, 64))
    config.merge_from_dict(settings or {})
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        state = MODELS.build(config.model).state_dict()
    text = '\n'.join(f'{key} = {value!r}' for key, value in config.to_dict().items())
    return dict(state_dict=state, meta=dict(cfg=text))


def write_untrained_models(folder: Path) -> dict[str, Path]:
    """Write such a checkpoint of each kind and return their paths."""
    paths = {}
    for kind, (file, settings) in MODELS_OF_EACH_KIND.items():
        content = untrained(file, settings)
        content['meta']['dataset_meta'] = dict(classes=CLASSES)
        paths[kind] = folder / f'{kind}.pth'
        torch.save(content, paths[kind])
    return paths
