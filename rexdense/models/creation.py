"""Backbones and classifiers by name."""

from typing import Any

from rexdense.arch import architecture
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.classifier import Classifier
from rexdense.registry import MODELS

__all__ = ['backbone_class', 'create_backbone', 'create_classifier']


def create_backbone(name: str, **arguments: Any) -> Backbone:
    """Build a named backbone with random weights.

    Args:
        name: A name from :func:`rexdense.list_backbones`.
        arguments: Those of :class:`~rexdense.models.backbones.backbone.Backbone` and of the
            family's rule.

    Raises:
        UnknownName: no such name.
        InvalidArgument: an argument is not taken, or outside what is allowed.

    Example:
        >>> from rexdense import create_backbone
        >>> backbone = create_backbone('rexnet_1.0', width_mult=1.7, out_indices=(2, -1))
        >>> [(level.name, level.channels) for level in backbone.out_levels]
        [('c3', 104), ('c5', 314)]
    """
    return backbone_class(name)(name, **arguments)


def create_classifier(
    name: str, num_classes: int = 1000, dropout: float | None = None, **arguments: Any
) -> Classifier:
    """Build a named backbone under its classification head.

    Args:
        name: A name from :func:`rexdense.list_backbones`.
        num_classes: Number of logits; 0 returns the pooled features in their place.
        dropout: Rate before the last layer; None takes the family's own.
        arguments: Those of the backbone, as for :func:`rexdense.create_backbone`.

    Raises:
        UnknownName: no such name.
        InvalidArgument: an argument is not taken, or outside what is allowed.

    Example:
        >>> from rexdense import create_classifier
        >>> sum(tensor.numel() for tensor in create_classifier('rexnet_1.0').parameters())
        4796873
    """
    arguments.setdefault('out_indices', (4,))
    return Classifier(create_backbone(name, **arguments), num_classes, dropout)


def backbone_class(name: str) -> type[Backbone]:
    """Return the class of a named backbone.

    Raises:
        UnknownName: no such name.
    """
    family = architecture(name).family
    return next(
        kind
        for kind in MODELS.module_dict.values()
        if issubclass(kind, Backbone) and kind.rule.family == family
    )
