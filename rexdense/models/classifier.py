"""A backbone under its family's classification head."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from rexdense.arch import architecture
from rexdense.errors import InvalidArgument
from rexdense.models.backbone import Backbone
from rexdense.models.layers import ConvNorm, PooledBatchNorm, relu6, reset_convolutions, silu
from rexdense.registry import MODELS

__all__ = ['ClassificationHead', 'Classifier']


class ClassificationHead(nn.Module):
    """From the deepest level (N, C, H, W) to logits (N, num_classes).

    Args:
        widths: Channels before the last layer. ReXNet has one width, a 1x1 convolution before the pooling;
            ReXNet-lite has a second one, a 1x1 convolution with bias after it; RegNet and ResNeXt have none.
        lite: ReLU6 in place of SiLU after the first convolution, as in ReXNet-lite.
        dropout: Rate before the last layer.
    """

    def __init__(
        self, in_channels: int, num_classes: int, widths: tuple[int, ...], norm_cfg: dict, lite: bool, dropout: float
    ) -> None:
        super().__init__()
        channels = (in_channels, *widths)
        self.final = ConvNorm(*channels[:2], 1, norm_cfg, relu6 if lite else silu) if widths else None
        self.hidden = nn.Conv2d(*channels[1:3], 1) if len(widths) > 1 else None
        self.hidden_norm = PooledBatchNorm(widths[1]) if len(widths) > 1 else None
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels[-1], num_classes)
        reset_convolutions(self)

    def forward(self, x: Tensor) -> Tensor:
        if self.final is not None:
            x = self.final(x)
        x = x.mean((2, 3), keepdim=True)
        if self.hidden is not None:
            x = relu6(self.hidden_norm(self.hidden(x)))
        return self.fc(self.dropout(x.flatten(1)))


@MODELS.register_module()
class Classifier(BaseModule):
    """A named backbone and its classification head.

    The backbone's tensors are named as in the backbone alone, below ``backbone.``.

    Args:
        backbone: Config of a registered backbone; only its deepest level is read.
        num_classes: Number of logits.
        dropout: Rate before the last layer; None takes the family's own (0.2 for ReXNet, else 0).

    Raises:
        InvalidArgument: ``num_classes`` is below 1.
    """

    def __init__(
        self, backbone: dict, num_classes: int = 1000, dropout: float | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        if num_classes < 1:
            raise InvalidArgument(f'num_classes={num_classes!r}: it must be at least 1')
        self.backbone: Backbone = MODELS.build({**backbone, 'out_indices': (4,)})
        found = self.backbone.architecture
        if dropout is None:
            dropout = 0.2 if found.classifier_widths else 0.0
        self.head = ClassificationHead(
            self.backbone.feature_info[-1].channels,
            num_classes,
            found.classifier_widths,
            backbone.get('norm_cfg') or dict(type='BN'),
            lite=found.family == 'rexnet_lite',
            dropout=dropout,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, num_classes) of images (N, in_channels, H, W)."""
        return self.head(self.backbone(x)[-1])


def create_backbone(name: str, **arguments: Any) -> Backbone:
    """Build a named backbone with random weights.

    Args:
        name: A name from :func:`rexdense.list_backbones`.
        arguments: Those of :class:`~rexdense.models.backbone.Backbone` and of the family's rule.

    Raises:
        UnknownName: no such name.
        InvalidArgument: an argument is not taken, or outside what is allowed.

    Example:
        >>> from rexdense import create_backbone
        >>> create_backbone('rexnet_1.0', width_mult=1.7, out_indices=(2, -1)).out_levels
        (FeatureLevel(name='c3', channels=104, stride=8), FeatureLevel(name='c5', channels=314, stride=32))
    """
    return MODELS.build(dict(type=_class_of(name), arch=name, **arguments))


def create_classifier(name: str, num_classes: int = 1000, dropout: float | None = None, **arguments: Any) -> Classifier:
    """Build a named backbone under its classification head; ``arguments`` go to the backbone."""
    return Classifier(dict(type=_class_of(name), arch=name, **arguments), num_classes, dropout)


def _class_of(name: str) -> str:
    family = architecture(name).family
    return next(
        f'rexdense.{kind}' for kind, cls in MODELS.module_dict.items() if getattr(cls, 'family', None) == family
    )
