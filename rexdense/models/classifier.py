"""A backbone under its family's classification head."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from rexdense.arch.checks import require_config, require_positive_integer, require_ratio
from rexdense.errors import InvalidArgument
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.layers.activations import relu6, silu
from rexdense.models.layers.convolution import ConvNorm, convolution
from rexdense.models.layers.normalisation import build_norm, normalise_pooled
from rexdense.registry import MODELS

__all__ = ['ClassificationHead', 'Classifier']


class ClassificationHead(nn.Module):
    """From the deepest level (N, C, H, W) to logits (N, num_classes).

    Args:
        widths: Channels before the last layer. ReXNet has one width, a 1x1 convolution before the
            pooling; ReXNet-lite has a second one, a 1x1 convolution with bias after it; RegNet and
            ResNeXt have none.
        lite: ReLU6 in place of SiLU after the first convolution, as in ReXNet-lite.
        dropout: Rate before the last layer.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        widths: tuple[int, ...],
        norm_cfg: dict,
        lite: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        channels = (in_channels, *widths)
        self.final = (
            ConvNorm(*channels[:2], 1, norm_cfg, relu6 if lite else silu) if widths else None
        )
        self.hidden = convolution(*channels[1:3], 1) if len(widths) > 1 else None
        self.hidden_norm = build_norm(norm_cfg, widths[1], pooled=True) if len(widths) > 1 else None
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        if self.final is not None:
            x = self.final(x)
        x = x.mean((2, 3), keepdim=True)
        if self.hidden is not None:
            x = relu6(normalise_pooled(self.hidden_norm, self.hidden(x)))
        return self.fc(self.dropout(x.flatten(1)))


@MODELS.register_module()
class Classifier(BaseModule):
    """A named backbone and its classification head.

    The backbone's tensors are named as in the backbone alone, below ``backbone.``.

    Args:
        backbone: Config of a registered backbone, without ``out_indices``: only c5 is read. Or a
            backbone that returns c5 last.
        num_classes: Number of logits.
        dropout: Rate before the last layer; None takes the family's own (0.2 for ReXNet, else 0).

    Raises:
        InvalidArgument: ``num_classes`` is not positive, ``dropout`` no ratio, or the backbone does
            not return c5 last.

    Example:
        >>> import torch
        >>> from rexdense.models import Classifier
        >>> classifier = Classifier(dict(type='rexdense.ReXNet', arch='rexnet_1.0'), num_classes=10)
        >>> classifier.eval()(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        backbone: dict | Backbone,
        num_classes: int = 1000,
        dropout: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        require_positive_integer('num_classes', num_classes)
        if not isinstance(backbone, Backbone):
            example = "dict(type='rexdense.ReXNet', arch='rexnet_1.0')"
            require_config('backbone', backbone, example)
            kind = backbone['type']
            kind = MODELS.get(kind) if isinstance(kind, str) else kind
            if not isinstance(kind, type) or not issubclass(kind, Backbone):
                raise InvalidArgument(
                    f'backbone={backbone}: give a backbone of rexdense, such as {example}'
                )
            backbone = MODELS.build({'out_indices': (4,), **backbone})
        if backbone.out_indices[-1] != 4:
            raise InvalidArgument(
                f'out_indices={backbone.out_indices}: a classifier reads c5; leave out_indices out'
            )
        self.backbone = backbone
        found = backbone.architecture
        if dropout is None:
            dropout = 0.2 if found.classifier_widths else 0.0
        require_ratio('dropout', dropout)
        self.head = ClassificationHead(
            found.levels[-1].channels,
            num_classes,
            found.classifier_widths,
            backbone.norm_cfg,
            lite=found.family == 'rexnet_lite',
            dropout=dropout,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, num_classes) of images (N, in_channels, H, W)."""
        return self.head(self.backbone(x)[-1])
