"""Preprocessing of images, which depends on the project that trained the weights."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Channel order, normalisation and evaluation size of a set of weights.

    Attributes:
        channel_order: 'RGB' or 'BGR', the channel order of the network's input.
        mean: The mean of each channel in this order, on the scale 0 to 255, which is subtracted.
        std: The divisor of each channel.
        input_size: Side in pixels of the square images with which the accuracy was published.
        crop_ratio: ``input_size`` over the length to which the shorter edge is resized before the
            centre crop.
        interpolation: Interpolation of the resize: 'bicubic' or 'bilinear'.
    """

    channel_order: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int = 224
    crop_ratio: float = 0.875
    interpolation: str = 'bicubic'

    def data_preprocessor(self) -> dict[str, Any]:
        """Return the arguments for OpenMMLab's data preprocessors, whose input images are BGR.

        Example:
            >>> IMAGENET_BGR.data_preprocessor()['bgr_to_rgb']
            False
        """
        return dict(
            mean=list(self.mean), std=list(self.std), bgr_to_rgb=self.channel_order == 'RGB'
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'Preprocessing':
        """Create from the dictionary of :func:`dataclasses.asdict`, in a checkpoint or JSON."""
        mean, std = (tuple(map(float, values[key])) for key in ('mean', 'std'))
        kinds = dict(channel_order=str, input_size=int, crop_ratio=float, interpolation=str)
        others = {key: kind(values[key]) for key, kind in kinds.items() if key in values}
        return cls(mean=mean, std=std, **others)

    @classmethod
    def from_data_preprocessor(
        cls, keywords: Mapping[str, Any], published: 'Preprocessing'
    ) -> 'Preprocessing':
        """Return the preprocessing of an OpenMMLab data preprocessor, the rest as in ``published``.

        Example:
            >>> keywords = dict(mean=[0.0], std=[255.0], bgr_to_rgb=True)
            >>> Preprocessing.from_data_preprocessor(keywords, IMAGENET_BGR).channel_order
            'RGB'
        """
        # mmpretrain calls it to_rgb.
        turned = keywords.get('bgr_to_rgb') or keywords.get('to_rgb')
        mean, std = (tuple(map(float, keywords[key])) for key in ('mean', 'std'))
        return dataclasses.replace(
            published, channel_order='RGB' if turned else 'BGR', mean=mean, std=std
        )

    def __str__(self) -> str:
        mean, std = (
            ', '.join(f'{value:g}' for value in values) for values in (self.mean, self.std)
        )
        return (
            f'{self.channel_order}, mean ({mean}), std ({std}), {self.input_size} px, '
            f'{self.interpolation}, crop {self.crop_ratio:g}'
        )


# ImageNet statistics of torchvision, timm and OpenMMLab, on the scale 0 to 255.
IMAGENET_RGB = Preprocessing('RGB', (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
# pycls reads images with OpenCV; mmdet's RegNetX keeps its order and its std (configs/regnet).
IMAGENET_BGR = Preprocessing(
    'BGR', (103.53, 116.28, 123.675), (57.375, 57.12, 58.395), interpolation='bilinear'
)
