"""Compressed storage of a visitor's predictions.

A hundred photographs with fifty masks each would take sixty gigabytes, at one byte per pixel.
Compressed, they take some hundred megabytes.
"""

import dataclasses
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from rexdense.inference import Prediction

LEAST_BYTES = 4096
"""Smaller tensors are not compressed."""
LEVEL = 1
"""Compression level of zlib: the fastest, which shrinks masks to a hundredth."""


class _Packed(NamedTuple):
    """A compressed tensor of a data sample.

    Attributes:
        place: The keys that lead to the tensor.
    """

    place: tuple[str, ...]
    shape: tuple[int, ...]
    kind: np.dtype
    content: bytes

    def tensor(self) -> torch.Tensor:
        """Return the original tensor."""
        content = bytearray(zlib.decompress(self.content))
        return torch.from_numpy(np.frombuffer(content, self.kind).reshape(self.shape))


class KeptPrediction:
    """A prediction with compressed large tensors.

    Args:
        prediction: The prediction, which is not changed.

    Attributes:
        strides: Strides of the outputs that it includes.
    """

    def __init__(self, prediction: Prediction) -> None:
        self.strides = list(prediction.scales)
        sample, self._packed = _without_tensors(prediction.sample)
        self._scales = {stride: KeptPrediction(each) for stride, each in prediction.scales.items()}
        self._rest = dataclasses.replace(prediction, sample=sample, scales={})

    @property
    def bytes(self) -> int:
        """Size of the compressed tensors in bytes."""
        own = sum(len(packed.content) for packed in self._packed)
        return own + sum(each.bytes for each in self._scales.values())

    def prediction(self) -> Prediction:
        """Return the original prediction."""
        sample = _copied(self._rest.sample)
        for packed in self._packed:
            *keys, last = packed.place
            owner = sample
            for key in keys:
                owner = owner.get(key)
            owner.set_field(packed.tensor(), last)
        scales = {stride: each.prediction() for stride, each in self._scales.items()}
        return dataclasses.replace(self._rest, sample=sample, scales=scales)


def _without_tensors(sample: BaseDataElement) -> tuple[BaseDataElement, list[_Packed]]:
    """Return a copy of a data sample without its large tensors, and these compressed."""
    sample, packed = _copied(sample), []
    for owner, place, tensor in list(_large(sample)):
        values = tensor.detach().cpu().contiguous().numpy()
        content = zlib.compress(values, LEVEL)
        packed.append(_Packed(place, values.shape, values.dtype, content))
        owner.pop(place[-1])
    return sample, packed


def _large(
    element: BaseDataElement, place: tuple[str, ...] = ()
) -> Iterator[tuple[BaseDataElement, tuple[str, ...], torch.Tensor]]:
    for key, value in element.items():
        if isinstance(value, BaseDataElement):
            yield from _large(value, (*place, key))
        elif (
            isinstance(value, torch.Tensor)
            and value.dtype != torch.bfloat16  # not supported by NumPy
            and value.numel() * value.element_size() >= LEAST_BYTES
        ):
            yield element, (*place, key), value


def _copied(element: Any) -> Any:
    """Return a copy of a data element that shares only its tensors."""
    copy = element.new()
    for key, value in element.items():
        if isinstance(value, BaseDataElement):
            copy.set_field(_copied(value), key)
    return copy
