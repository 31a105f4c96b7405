"""What --pretrained changes in a config: initial weights, and the images as these want them."""

import dataclasses
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from rexdense.arch import list_backbones
from rexdense.checkpoint import LoadReport, Preprocessing, load_weights
from rexdense.checkpoint.details import hidden_options
from rexdense.checkpoint.fetching import is_address
from rexdense.checkpoint.preprocessing import IMAGENET_BGR, IMAGENET_RGB
from rexdense.checkpoint.published import is_published_name
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from rexdense.models.backbones.backbone import Backbone
from rexdense.registry import MODELS
from rexdense.zoo.weights import PublishedWeights, find_pretrained

__all__ = ['BEST', 'use_normalisation', 'use_pretrained']

BEST = 'best'
"""Stands for the published weights of best top-1 accuracy."""

_ENDINGS = ('.pth', '.pt', '.pyth', '.pkl', '.bin', '.ckpt', '.safetensors')


def use_pretrained(config: Config, choice: str) -> str:
    """Make a model start from pretrained weights and give them images as they were trained on;
    return a sentence that says so.

    The weights are read at once, into a backbone as the config has it, so that what does not fit is
    told before a run begins.

    Args:
        choice: A publisher ('clovaai'), with its tag or without; 'best'; the whole name
            ('rexnet_1.0:clovaai'); a file, such as a checkpoint of rexdense train; or an address.

    Raises:
        InvalidArgument: the backbone is none of rexdense, or the weights are of another network.
        UnknownName: nothing is published under that name.
        CheckpointUnreadable: the file is not there, or is no checkpoint.
        CheckpointMismatch: its tensors do not fit the backbone.
    """
    model = config.model
    backbone = _built_backbone(model.get('backbone') or {})
    checkpoint, row = _chosen(choice, model.backbone.get('arch'))
    report = load_weights(backbone, checkpoint)
    preprocessing = _preprocessing(report, row)
    model.backbone.pop('init_cfg', None)
    model.backbone.update(hidden_options(backbone))
    initial = dict(type='rexdense.Pretrained', checkpoint=checkpoint)
    if str(model.get('type')).endswith('ImageClassifier'):
        # Of the head all is taken but the layer of other classes.
        model.init_cfg = initial | dict(drop_head=True)
    else:
        model.backbone.init_cfg = initial
    if 'data_preprocessor' in model:
        model.data_preprocessor.update(preprocessing.data_preprocessor())
    return (
        f'Weights of {checkpoint} ({report.source}, {report.architecture}): {len(report.loaded)} '
        f'tensors of the backbone; images as {_described(preprocessing)}'
    )


def use_normalisation(config: Config, stored: Any) -> str:
    """Give a model its images in the order and on the scale of the run that trained it; return a
    sentence that says so, empty where the config does so already.

    Args:
        stored: The section ``data_preprocessor`` of that run's config, if there is one.
    """
    section = (config.get('model') or {}).get('data_preprocessor')
    try:
        there, here = (
            Preprocessing.from_data_preprocessor(keywords, IMAGENET_RGB)
            for keywords in (stored, section)
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        # One of the two states no normalisation.
        return ''
    if there == here:
        return ''
    section.update(there.data_preprocessor())
    return f'Images as in the training of the checkpoint: {_described(there)}'


def _described(preprocessing: Preprocessing) -> str:
    mean, std = (
        ', '.join(f'{value:g}' for value in values)
        for values in (preprocessing.mean, preprocessing.std)
    )
    return f'{preprocessing.channel_order}, mean {mean}, std {std}'


def _built_backbone(section: dict[str, Any]) -> nn.Module:
    """Return the backbone of a config with random weights.

    Raises:
        InvalidArgument: it is none of rexdense.
    """
    kind = section.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) and kind.startswith('rexdense.') else None
    if not isinstance(found, type) or not issubclass(found, Backbone):
        raise InvalidArgument(
            f'--pretrained goes with backbones of rexdense, and this config has {kind}: set its '
            'init_cfg in the config'
        )
    return MODELS.build({**section, 'init_cfg': None})


def _chosen(choice: str, network: str | None) -> tuple[str, PublishedWeights | None]:
    """Return what :func:`load_weights` calls the weights, and their row if they are published."""
    path = Path(choice).expanduser()
    if path.exists() or is_address(choice):
        return choice, None
    if path.suffix in _ENDINGS or '/' in choice:
        raise CheckpointUnreadable(
            f'--pretrained {choice}: there is no such file; give one, or the name of published '
            'weights (rexdense zoo --weights lists them)'
        )
    named, _, rest = choice.rpartition(':')
    if network not in list_backbones():
        raise InvalidArgument(
            f'--pretrained {choice}: the backbone of this config has no name (arch), so no '
            'published weights are of it; give a file'
        )
    if named and named != network and is_published_name(choice):
        own = find_pretrained(network).name
        raise InvalidArgument(
            f'--pretrained {choice}: the backbone of this config is {network}; give {own}, or set '
            f'--cfg-options model.backbone.arch={named}'
        )
    row = find_pretrained(network, True if choice == BEST else rest if named else choice)
    return row.name, row


def _preprocessing(report: LoadReport, row: PublishedWeights | None) -> Preprocessing:
    """Return what the file says of its images, or of published weights what the row does: one
    project may publish files in either order of the channels."""
    found = report.preprocessing
    if row is None or row.channel_order == found.channel_order:
        return found
    normal = IMAGENET_RGB if row.channel_order == 'RGB' else IMAGENET_BGR
    return dataclasses.replace(
        found, channel_order=normal.channel_order, mean=normal.mean, std=normal.std
    )
