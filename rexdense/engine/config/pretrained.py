"""Initial weights in a config and the image normalisation that they need, for --pretrained and for
the COCO configs."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from torch import nn

from rexdense.arch import channels, list_backbones
from rexdense.checkpoint import Preprocessing, load_weights, published_preprocessing
from rexdense.checkpoint.details import hidden_options
from rexdense.checkpoint.fetching import is_address
from rexdense.checkpoint.formats.reading import names_checkpoint
from rexdense.checkpoint.preprocessing import IMAGENET_BGR, IMAGENET_RGB
from rexdense.engine.config.followers import class_of_backbone
from rexdense.errors import (
    CheckpointMismatch,
    CheckpointUnreadable,
    InvalidArgument,
    UnknownName,
    suggest,
)
from rexdense.models.creation import backbone_class
from rexdense.registry import MODELS
from rexdense.zoo.weights import PublishedWeights, find_pretrained

BEST = 'best'
"""Stands for the published weights with the best top-1 accuracy."""

_ENDINGS = ('.pth', '.pt', '.pyth', '.pkl', '.bin', '.ckpt', '.safetensors')


def use_pretrained(config: Config, choice: str) -> str:
    """Make a model start from pretrained weights, with images normalised as in their training.
    Return a sentence about it.

    The weights are loaded at once into the backbone of the config, so that a mismatch is reported
    before a run begins.

    Args:
        choice: A publisher ('clovaai'), with or without tag; 'best'; the full name
            ('rexnet_1.0:clovaai'); a file, such as a checkpoint of rexdense train; or a URL.

    Raises:
        InvalidArgument: the backbone is not one of rexdense, or the weights are of another network.
        UnknownName: nothing is published under that name.
        CheckpointUnreadable: the file does not exist, or is no checkpoint or work directory.
        CheckpointMismatch: its tensors do not fit the backbone.
    """
    model = config.model
    backbone = _built_backbone(model.get('backbone') or {})
    checkpoint, row = _chosen(choice, model.backbone.get('arch'))
    report = load_weights(backbone, checkpoint)
    preprocessing = _in_order_of(row, report.preprocessing)
    model.backbone.pop('init_cfg', None)
    model.backbone.update(hidden_options(backbone))
    initial = dict(type='rexdense.Pretrained', checkpoint=checkpoint)
    if str(model.get('type')).endswith('ImageClassifier') and _fills_classifier(model, checkpoint):
        # The head is loaded without the last layer if that is for other classes.
        model.init_cfg = initial | dict(drop_head=True)
    else:
        model.backbone.init_cfg = initial
    if 'data_preprocessor' in model:
        model.data_preprocessor.update(preprocessing.data_preprocessor())
    return (
        f'Weights of {checkpoint} ({report.source}, {report.architecture}): {len(report.loaded)} '
        f'tensors of the backbone; images as {_described(preprocessing)}'
    )


def _fills_classifier(model: ConfigDict, checkpoint: str) -> bool:
    """Return whether a checkpoint that fits the backbone also fits the classifier; that of a
    detector or segmentor does not."""
    bare = dict(
        backbone={**model.backbone, 'init_cfg': None}, data_preprocessor=None, init_cfg=None
    )
    try:
        load_weights(MODELS.build({**model, **bare}), checkpoint, drop_head=True)
    except CheckpointMismatch:
        return False
    return True


def use_normalisation(config: Config, stored: Any) -> str:
    """Set a model's channel order and normalisation to those of the run that trained it. Return a
    sentence about it, empty if nothing changes.

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
        # One of the two has no normalisation.
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
    """Return the backbone of a config with random weights. Raise InvalidArgument for a backbone of
    another package."""
    if class_of_backbone(section) is None:
        raise InvalidArgument(
            '--pretrained goes with backbones of rexdense, and this config has '
            f'{section.get("type")}: set its init_cfg in the config'
        )
    return MODELS.build({**section, 'init_cfg': None})


def _chosen(choice: str, network: str | None) -> tuple[str, PublishedWeights | None]:
    """Return the weights for :func:`load_weights`, and their row if they are published."""
    path = Path(choice).expanduser()
    place = path.suffix in _ENDINGS or '/' in choice
    if names_checkpoint(path) or is_address(choice) or (place and path.exists()):
        return choice, None
    if place:
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
    if named and named != network:
        if named not in list_backbones():
            raise UnknownName(
                f'--pretrained {choice}: no backbone is called {named!r}: '
                f'{suggest(named, list_backbones())}'
            )
        own = find_pretrained(network).name
        raise InvalidArgument(
            f'--pretrained {choice}: the backbone of this config is {network}; give {own}, or set '
            f'--cfg-options model.backbone.arch={named}'
        )
    row = find_pretrained(network, True if choice == BEST else rest if named else choice)
    return row.name, row


def detector_sections(arch: str, weights: str | None) -> dict[str, Any]:
    """Return the parts of a detector's ``model`` that depend on its backbone: ``backbone``, the
    channels of the ``neck`` and, with pretrained weights, their ``data_preprocessor``.

    As in mmdet's configs, the levels up to c2 and the batch norm statistics of pretrained weights
    are frozen. With random weights, nothing is frozen.

    Args:
        arch: The network's name.
        weights: The publisher and tag of the weights, such as 'pycls.dds_8gpu'; None for random
            weights, if none are published.

    Raises:
        UnknownName: no network has that name, or no such weights are published.

    Example:
        >>> sections = detector_sections('regnetx_400mf', 'pycls.dds_8gpu')
        >>> sections['backbone']['type'], sections['data_preprocessor']['bgr_to_rgb']
        ('rexdense.RegNet', False)
    """
    sections = _backbone_sections(arch, weights)
    if weights is not None:
        sections['backbone'] |= dict(frozen_stages=1, norm_eval=True)
    return sections | dict(neck=dict(in_channels=channels(arch)))


def ssdlite_sections(
    arch: str, weights: str | None, taps: Sequence[int], added_channels: Sequence[int]
) -> dict[str, Any]:
    """Return the parts of an SSDLite's ``model`` that depend on its backbone: ``backbone``, the
    channels of the ``neck`` and the ``bbox_head`` and, with pretrained weights, their
    ``data_preprocessor``.

    As in mmdet's config, nothing is frozen, and batch norm statistics have a momentum of 0.03.

    Args:
        arch: The network's name.
        weights: As for :func:`detector_sections`.
        taps: Indices of the levels that are read: 0 is c1, 4 is c5.
        added_channels: Channels of the maps that the neck adds.

    Raises:
        UnknownName: no network has that name, or no such weights are published.

    Example:
        >>> sections = ssdlite_sections('rexnet_1.0', None, (3, 4), [512, 256, 256, 128])
        >>> sections['bbox_head']['in_channels']
        [128, 185, 512, 256, 256, 128]
    """
    sections = _backbone_sections(arch, weights)
    sections['backbone'] |= dict(out_indices=tuple(taps), norm_cfg=dict(type='BN', momentum=0.03))
    read = channels(arch, taps)
    maps = [*read, *added_channels]
    return sections | dict(
        neck=dict(in_channels=read, out_channels=maps), bbox_head=dict(in_channels=maps)
    )


def _backbone_sections(arch: str, weights: str | None) -> dict[str, Any]:
    """Return the section of a backbone and, with pretrained weights, their image preprocessing."""
    backbone = dict(type=f'rexdense.{backbone_class(arch).__name__}', arch=arch)
    if weights is None:
        return dict(backbone=backbone)
    row = find_pretrained(arch, weights)
    backbone |= dict(init_cfg=dict(type='rexdense.Pretrained', checkpoint=row.name))
    images = _in_order_of(row, published_preprocessing(row.publisher, arch))
    return dict(backbone=backbone, data_preprocessor=images.data_preprocessor())


def _in_order_of(row: PublishedWeights | None, found: Preprocessing) -> Preprocessing:
    """Return the preprocessing of a file; for published weights, as stated in their row, because a
    project may publish files with either channel order."""
    if row is None or row.channel_order == found.channel_order:
        return found
    normal = IMAGENET_RGB if row.channel_order == 'RGB' else IMAGENET_BGR
    return dataclasses.replace(
        found, channel_order=normal.channel_order, mean=normal.mean, std=normal.std
    )
