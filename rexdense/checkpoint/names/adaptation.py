"""Adaptation of a first convolution to another number of input channels."""

import dataclasses

from torch import Tensor

from rexdense.checkpoint.preprocessing import Preprocessing
from rexdense.errors import InvalidArgument


def check_channel_rule(how: str | None) -> None:
    """Raise InvalidArgument if ``how`` is not a way to adapt a first convolution."""
    if how not in ('sum', 'repeat', None):
        raise InvalidArgument(
            f"input_channels={how!r}: allowed are 'sum' and 'repeat', or None to refuse another "
            'count'
        )


def adapt_input_channels(weight: Tensor, channels: int, how: str) -> Tensor:
    """Return the first convolution's weight for another number of input channels.

    Args:
        weight: (out, inputs, kernel, kernel).
        channels: The new number of input channels.
        how: 'sum' adds up the input channels and spreads the sum evenly, so that a grey image,
            copied to each channel, gives the same result as three equal channels before. 'repeat'
            repeats the input channels in turn and scales them by ``inputs / channels``, which keeps
            the magnitude of the response (timm ``adapt_input_conv``).

    """
    inputs = weight.shape[1]
    if how == 'sum':
        return weight.sum(1, keepdim=True).expand(-1, channels, -1, -1) / channels
    return weight[:, [index % inputs for index in range(channels)]] * (inputs / channels)


def adapt_preprocessing(preprocessing: Preprocessing, channels: int, how: str) -> Preprocessing:
    """Return the preprocessing for a first convolution adapted in the same way."""

    def adapt(values: tuple[float, ...]) -> tuple[float, ...]:
        if how == 'sum':
            return (round(sum(values) / len(values), 3),) * channels
        return tuple(values[index % len(values)] for index in range(channels))

    order = 'grey' if channels == 1 and how == 'sum' else preprocessing.channel_order
    return dataclasses.replace(
        preprocessing,
        channel_order=order,
        mean=adapt(preprocessing.mean),
        std=adapt(preprocessing.std),
    )
