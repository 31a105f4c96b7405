"""Backbones and classifiers by name."""

from typing import Any

from rexdense.arch import architecture
from rexdense.checkpoint.loading import load_weights
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.classifier import Classifier
from rexdense.registry import MODELS
from rexdense.zoo.weights import find_pretrained


def create_backbone(name: str, pretrained: bool | str = False, **arguments: Any) -> Backbone:
    """Build a named backbone, with random weights or published ones.

    Args:
        name: A name from :func:`rexdense.list_backbones`.
        pretrained: A publisher ('clovaai'), a publisher and tag ('timm.nav_in1k'), or True for the
            published weights with the best top-1 accuracy. They are downloaded once; see
            :func:`rexdense.list_pretrained`.
        arguments: Arguments of :class:`~rexdense.models.backbones.backbone.Backbone` and of the
            family's rule.

    Raises:
        UnknownName: no such network, or no such weights.
        InvalidArgument: an argument is unknown or out of range.
        CheckpointMismatch: the arguments change the network, so that the weights do not fit.
        CheckpointUnreadable: the weights cannot be downloaded.

    Example:
        >>> from rexdense import create_backbone
        >>> backbone = create_backbone('rexnet_1.0', width_mult=1.7, out_indices=(2, -1))
        >>> [(level.name, level.channels) for level in backbone.out_levels]
        [('c3', 104), ('c5', 314)]
    """
    backbone = backbone_class(name)(name, **arguments)
    if pretrained not in (None, False):
        load_weights(backbone, find_pretrained(name, pretrained).name)
    return backbone


def create_classifier(
    name: str,
    num_classes: int = 1000,
    dropout: float | None = None,
    pretrained: bool | str = False,
    **arguments: Any,
) -> Classifier:
    """Build a named backbone with its classification head.

    Args:
        name: A name from :func:`rexdense.list_backbones`.
        num_classes: Number of logits; 0 returns the pooled features instead.
        dropout: Dropout rate before the last layer; None takes the family's default.
        pretrained: Published weights, as for :func:`rexdense.create_backbone`. If their number of
            classes differs from ``num_classes``, the last layer keeps its random weights.
        arguments: Arguments of the backbone, as for :func:`rexdense.create_backbone`.

    Raises:
        UnknownName: no such network, or no such weights.
        InvalidArgument: an argument is unknown or out of range.
        CheckpointMismatch: the arguments change the network, so that the weights do not fit.
        CheckpointUnreadable: the weights cannot be downloaded.

    Example:
        >>> from rexdense import create_classifier
        >>> sum(tensor.numel() for tensor in create_classifier('rexnet_1.0').parameters())
        4796873
    """
    arguments.setdefault('out_indices', (4,))
    classifier = Classifier(create_backbone(name, **arguments), num_classes, dropout)
    if pretrained not in (None, False):
        row = find_pretrained(name, pretrained)
        load_weights(classifier, row.name, drop_head=num_classes != row.classes)
    return classifier


def backbone_class(name: str) -> type[Backbone]:
    """Return the class of a named backbone, or raise UnknownName."""
    family = architecture(name).family
    return next(
        kind
        for kind in MODELS.module_dict.values()
        if issubclass(kind, Backbone) and kind.rule.family == family
    )
