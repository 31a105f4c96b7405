"""A backbone with the classification head of its family."""

from torch import Tensor, nn

from rexdense.arch.checks import is_integer, require_config, require_ratio
from rexdense.errors import InvalidArgument
from rexdense.mmengine_bases import BaseModule
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.layers.activations import relu6, silu
from rexdense.models.layers.convolution import ConvNorm, convolution
from rexdense.models.layers.normalisation import build_norm, normalise_pooled
from rexdense.registry import MODELS


class ClassificationHead(nn.Module):
    """Head from the deepest level (N, C, H, W) to logits (N, num_classes).

    Args:
        num_classes: Number of logits; 0 leaves out the last layer and returns pooled features.
        widths: Channels of the layers before the last. ReXNet has one, a 1x1 convolution before
            the pooling. ReXNet-lite has a second one, a 1x1 convolution with bias after the
            pooling. RegNet and ResNeXt have none.
        lite: ReLU6 instead of SiLU after the first convolution, as in ReXNet-lite.
        dropout: Dropout rate before the last layer.

    Attributes:
        map_channels: Channels of the map before pooling.
        pooled_channels: Channels of the pooled features, the input of the last layer.
    """

    conv_norm_pairs = (('hidden', 'hidden_norm'),)

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
            ConvNorm(in_channels, widths[0], 1, norm_cfg, relu6 if lite else silu)
            if widths
            else None
        )
        self.hidden = convolution(widths[0], widths[1], 1) if len(widths) > 1 else None
        self.hidden_norm = build_norm(norm_cfg, widths[1], pooled=True) if len(widths) > 1 else None
        self.dropout = nn.Dropout(dropout)
        self.map_channels, self.pooled_channels = channels[:2][-1], channels[-1]
        self.reset(num_classes)

    def reset(self, num_classes: int) -> None:
        """Replace the last layer by one with random weights."""
        self.fc = nn.Linear(self.pooled_channels, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.classify(self.expand(x))

    def expand(self, x: Tensor) -> Tensor:
        """Return the map (N, map_channels, H, W) before pooling."""
        return x if self.final is None else self.final(x)

    def classify(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the logits, or with ``pre_logits`` the pooled features, of a map from
        :meth:`expand`."""
        x = x.mean((2, 3), keepdim=True)
        if self.hidden is not None and self.hidden_norm is not None:
            x = relu6(normalise_pooled(self.hidden_norm, self.hidden(x)))
        x = self.dropout(x.flatten(1))
        return x if pre_logits else self.fc(x)


@MODELS.register_module()
class Classifier(BaseModule):
    """A named backbone and its classification head.

    The tensors of the backbone keep their names, with the prefix ``backbone.``.

    Args:
        backbone: A backbone that returns c5 last, or the config of a registered one without
            ``out_indices``.
        num_classes: Number of logits; 0 returns the pooled features instead.
        dropout: Dropout rate before the last layer; None takes the family's default (0.2 for
            ReXNet, else 0).

    Attributes:
        num_features: Channels of :meth:`forward_features`; the name is timm's.
        head_hidden_size: Channels of the pooled features; the name is timm's.

    Raises:
        InvalidArgument: ``num_classes`` or ``dropout`` is out of range, or the backbone does not
            return c5 last.

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
        self.num_classes = _number_of_classes(num_classes)
        network = backbone if isinstance(backbone, Backbone) else _built(backbone)
        if network.out_indices[-1] != 4:
            raise InvalidArgument(
                f'out_indices={network.out_indices}: a classifier reads c5; leave out_indices out'
            )
        self.backbone = network
        found = network.architecture
        if dropout is None:
            dropout = 0.2 if found.classifier_widths else 0.0
        require_ratio('dropout', dropout)
        self.head = ClassificationHead(
            found.levels[-1].channels,
            self.num_classes,
            found.classifier_widths,
            network.norm_cfg,
            lite=found.family == 'rexnet_lite',
            dropout=dropout,
        )
        self.num_features = self.head.map_channels
        self.head_hidden_size = self.head.pooled_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, num_classes) of images (N, in_channels, H, W), or the pooled
        features (N, head_hidden_size) if ``num_classes`` is 0."""
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the map before pooling of images (N, in_channels, H, W). Its shape is (N,
        num_features, ceil(H / stride), ceil(W / stride)), with the backbone's ``output_stride``."""
        return self.head.expand(self.backbone(x)[-1])

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the logits (N, num_classes) of a map from :meth:`forward_features`.

        Args:
            x: (N, num_features, h, w).
            pre_logits: Return the pooled features (N, head_hidden_size) instead.
        """
        return self.head.classify(x, pre_logits)

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        return self.head.fc

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last layer by one with random weights, for another number of classes.

        Args:
            num_classes: Number of logits; 0 returns the pooled features instead.

        Raises:
            InvalidArgument: ``num_classes`` is negative or not a whole number.
        """
        self.num_classes = _number_of_classes(num_classes)
        self.head.reset(self.num_classes)
        self.head.fc.to(next(self.backbone.parameters()))


def _built(config: dict) -> Backbone:
    example = "dict(type='rexdense.ReXNet', arch='rexnet_1.0')"
    require_config('backbone', config, example)
    kind = config['type']
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    if not isinstance(kind, type) or not issubclass(kind, Backbone):
        raise InvalidArgument(f'backbone={config}: give a backbone of rexdense, such as {example}')
    return MODELS.build({'out_indices': (4,), **config})


def _number_of_classes(value: int) -> int:
    if not is_integer(value) or value < 0:
        raise InvalidArgument(
            f'num_classes={value!r}: give a whole number above 0, or 0 for pooled features'
        )
    return int(value)
