"""Base of mmseg's decode heads: a U-Net decoder with a loss at every output."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rexdense.arch import feature_levels, resolve_out_indices
from rexdense.arch.checks import (
    is_integer,
    is_number,
    require_config,
    require_known,
    require_positive_integer,
    require_sequence,
)
from rexdense.errors import InvalidArgument
from rexdense.mmengine_bases import BaseModule
from rexdense.models.losses import build_losses
from rexdense.models.unet.decoder import UNetDecoder, resize


class MultiScaleHead(BaseModule):
    """A U-Net decoder as a decode head, with a loss at each of its outputs (deep supervision).

    It has the interface that ``mmseg.EncoderDecoder`` and ``mmseg.DepthEstimator`` expect, but does
    not need mmseg. Subclasses define the target and the losses of one scale.

    Args:
        arch: The backbone's name, which determines the feature levels.
        num_classes: Number of classes in the labels.
        out_channels: Channels of each output.
        loss_decode: One or several losses, applied at each scale, see
            :func:`~rexdense.models.losses.build_losses`.
        out_indices: The backbone's ``out_indices``; all five levels give the finest decoder.
        output_stride: The backbone's ``output_stride``.
        overrides: Arguments of the family's rule that the backbone overrides.
        output_strides: Strides of the outputs; None takes 1 and the stride of every level.
        scale_weights: Weight of the losses at each output stride, as {stride: weight} or in the
            order of the strides. None halves the weight from each output to the next coarser one
            and normalises the sum to 1 (nnU-Net, Isensee et al. 2021, Methods, "Training", and its
            code).
        predict_weights: Weight of each output stride in the mean that is predicted, in the same
            form. None takes only the finest output.
        init_cfg: Initialisation by mmengine.
        decoder: Further arguments of :class:`~rexdense.models.unet.UNetDecoder`.

    Raises:
        InvalidArgument: an output stride that the backbone lacks, weights for other strides, an
            unsuitable loss, or an unknown argument.
        UnknownName: no backbone is called ``arch``, or no loss has the name in ``loss_decode``.
    """

    align_corners = False
    loss_kinds: ClassVar[tuple[type, ...]]
    """The losses of rexdense that the head accepts."""

    def __init__(
        self,
        arch: str,
        num_classes: int,
        out_channels: int,
        loss_decode: dict | Sequence[dict],
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        output_stride: int = 32,
        overrides: Mapping[str, Any] | None = None,
        output_strides: Sequence[int] | None = None,
        scale_weights: Mapping[int, float] | Sequence[float] | None = None,
        predict_weights: Mapping[int, float] | Sequence[float] | None = None,
        init_cfg: dict | None = None,
        **decoder: Any,
    ) -> None:
        super().__init__(init_cfg)
        self._require_known(decoder)
        require_positive_integer('num_classes', num_classes)
        self.num_classes, self.out_channels = int(num_classes), out_channels
        example = "dict(type='mmseg.CrossEntropyLoss')"
        losses = [loss_decode] if isinstance(loss_decode, dict) else loss_decode
        losses = require_sequence('loss_decode', losses, f'[{example}]')
        for loss in losses:
            require_config('loss_decode', loss, example)
        self.loss_decode = build_losses(losses, self.loss_kinds)
        if not isinstance(overrides, Mapping | None):
            raise InvalidArgument(
                f'overrides={overrides!r}: give a dict, such as dict(width_mult=1.5)'
            )
        levels = feature_levels(arch, output_stride, **(overrides or {}))
        self.decoder = UNetDecoder(
            [levels[index] for index in resolve_out_indices(out_indices)],
            out_channels,
            output_strides,
            **decoder,
        )
        strides = self.decoder.output_strides
        halved = {stride: 0.5**place for place, stride in enumerate(strides)}
        if scale_weights is None:
            scale_weights = {stride: part / sum(halved.values()) for stride, part in halved.items()}
        self.scale_weights = _checked_weights('scale_weights', scale_weights, strides)
        if sorted(self.scale_weights) != sorted(strides):
            raise InvalidArgument(
                f'scale_weights={scale_weights}: give one for each of the output strides '
                f'{", ".join(map(str, strides))}; output_strides leaves outputs out'
            )
        self.predict_weights = _checked_weights(
            'predict_weights',
            {strides[0]: 1.0} if predict_weights is None else predict_weights,
            strides,
        )

    def _require_known(self, decoder: Mapping[str, Any]) -> None:
        """Raise InvalidArgument for a mistyped argument, with the closest names. UNetDecoder would
        raise a TypeError, which looks like a bug."""
        of_decoder = _arguments(UNetDecoder) - {'feature_info'}
        unknown = set(decoder) - of_decoder
        allowed = of_decoder | _arguments(type(self)) | _arguments(MultiScaleHead)
        require_known(type(self).__name__, unknown, allowed - unknown)

    def forward(
        self,
        inputs: Sequence[Tensor],
        size: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> dict[int, Tensor]:
        """Return the outputs (N, out_channels, H / stride, W / stride) by stride. See
        :meth:`UNetDecoder.forward <rexdense.models.unet.UNetDecoder.forward>`."""
        return self.decoder(inputs, size, strides)

    def loss(
        self, inputs: Sequence[Tensor], batch_data_samples: Sequence[Any], train_cfg: Any = None
    ) -> dict[str, Tensor]:
        """Return the losses of each output as ``<loss>_stride_<stride>``, and the metrics of the
        finest output.

        Args:
            inputs: The backbone's feature maps.
            batch_data_samples: mmseg's, with the annotation of each image.

        Raises:
            InvalidArgument: the feature maps are not those of the head's levels.
        """
        target = self.stack_targets(batch_data_samples)
        self._require_levels(inputs, target.shape[-2:])
        outputs = self(inputs, target.shape[-2:])
        losses = {}
        for stride, weight in self.scale_weights.items():
            for name, value in self.scale_losses(outputs[stride], target).items():
                losses[f'{name}_stride_{stride}'] = weight * value
        return losses | self.metrics(next(iter(outputs.values())).detach(), target)

    def _require_levels(self, inputs: Sequence[Tensor], size: Sequence[int]) -> None:
        if len(inputs) != len(self.decoder.levels):
            return  # the decoder raises the error
        # A map of another stride would train silently, with the output under the wrong stride.
        for level, features in zip(self.decoder.levels, inputs, strict=True):
            expected = (level.channels, *(-(-side // level.stride) for side in size))
            if tuple(features.shape[1:]) != expected:
                raise InvalidArgument(
                    f'level {level.name} comes as {_as_text(features.shape[1:])} (channels, '
                    f'height, width), and should be {_as_text(expected)}: give the head the arch, '
                    'out_indices, output_stride and, as overrides, the further arguments of the '
                    'backbone'
                )

    def stack_targets(self, batch_data_samples: Sequence[Any]) -> Tensor:
        """Return the annotations of a batch as one tensor (N, H, W)."""
        raise NotImplementedError

    def scale_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the losses of one output (N, out_channels, h, w) against the annotations
        (N, H, W), under names that contain 'loss'."""
        raise NotImplementedError

    def losses_by_name(self, value: Callable[[nn.Module], Tensor]) -> dict[str, Tensor]:
        """Return ``value(loss)`` for each loss, by name. Losses with the same name are summed."""
        losses: dict[str, Tensor] = {}
        for loss in self.loss_decode:
            losses[loss.loss_name] = losses.get(loss.loss_name, 0) + value(loss)
        return losses

    def metrics(self, finest: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return metrics of the finest output, logged beside the losses."""
        return {}

    def predict(
        self, inputs: Sequence[Tensor], batch_img_metas: Sequence[Mapping], test_cfg: Any = None
    ) -> Tensor:
        """Return the output (N, out_channels, H, W) at the image size: the finest one, or the mean
        weighted by ``predict_weights``."""
        size = _input_size(batch_img_metas[0])
        outputs = self(inputs, size, tuple(self.predict_weights))
        total = sum(self.predict_weights.values())
        return torch.stack(
            [
                resize(outputs[stride], size) * (weight / total)
                for stride, weight in self.predict_weights.items()
            ]
        ).sum(0)


def _as_text(shape: Sequence[int]) -> str:
    return ' x '.join(map(str, shape))


def _arguments(kind: type) -> set[str]:
    """Return the names of the arguments of a class."""
    parameters = inspect.signature(kind).parameters.values()
    return {each.name for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD}


def _checked_weights(
    name: str, weights: Mapping[int, float] | Sequence[float], strides: Sequence[int]
) -> dict[int, float]:
    """Return the weights by stride, without the zeros of a list."""
    try:
        if isinstance(weights, Mapping):
            # JSON turns the keys of a config to strings.
            by_stride = {
                int(stride) if isinstance(stride, str) else stride: weight
                for stride, weight in weights.items()
            }
        else:
            listed = require_sequence(name, weights, 'one for each output stride')
            by_stride = dict(zip(strides, listed, strict=False))
            by_stride = {stride: weight for stride, weight in by_stride.items() if weight != 0}
        numeric = all(map(is_number, by_stride.values()))
    except ValueError:
        numeric = False
    if not numeric:
        raise InvalidArgument(
            f'{name}={weights!r}: give a list of numbers, one for each of the output strides '
            f'{", ".join(map(str, strides))}, or {{stride: number}}'
        )
    lacking = [stride for stride in by_stride if not is_integer(stride) or stride not in strides]
    if lacking or not by_stride or min(by_stride.values()) <= 0 or len(weights) > len(strides):
        raise InvalidArgument(
            f'{name}={weights}: give a weight above 0 to strides among '
            f'{", ".join(map(str, strides))}, which are the outputs of this head'
        )
    return {int(stride): float(weight) for stride, weight in by_stride.items()}


def _input_size(meta: Mapping) -> tuple[int, int]:
    """Return the height and width of the network's input. For a sliding window, mmseg gives
    ``img_shape`` as a torch.Size and keeps the ``pad_shape`` of the whole image."""
    if isinstance(meta['img_shape'], torch.Size):
        return tuple(meta['img_shape'])
    return tuple(meta.get('pad_shape', meta['img_shape'])[:2])
