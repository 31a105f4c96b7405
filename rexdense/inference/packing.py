"""Conversion of images into inputs of a checkpoint's model."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose

from rexdense.datasets.images.loading import ImageError, LoadImage
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from rexdense.inference.sources import Source
from rexdense.visualization.picture_files import shown_pixels


class Packed(NamedTuple):
    """An image as input of the model.

    Attributes:
        pixels: (H, W, 3), uint8, BGR, as pictures show them; None for an image file.
        inputs: (3, h, w).
        sample: The data sample to which the model adds its predictions.
    """

    source: Source
    pixels: np.ndarray | None
    inputs: torch.Tensor
    sample: Any

    @property
    def size(self) -> tuple[int, ...]:
        """The size that all images of a batch must share. mmseg accepts no other batches, and mmdet
        would pad the smaller images, which changes their predictions."""
        return (*self.inputs.shape, *self.sample.ori_shape)


class Packer:
    """The pipeline of a checkpoint, which reads image files, also for arrays.

    Args:
        pipeline: Transforms from the path of an image to the model's input.
    """

    def __init__(self, pipeline: Compose) -> None:
        self._pipeline = pipeline
        steps: Sequence[Any] = pipeline.transforms or (None,)
        self._first, *others = steps
        self._others = Compose(others)

    def __call__(self, source: Source) -> Packed | ImageError:
        """Return an image as input of the model, or the error if the image cannot be used.

        Raises:
            CheckpointUnreadable: the pipeline does not end with packed inputs.
            InvalidArgument: the image is an array, and the pipeline does not begin with loading a
                file.
        """
        results: dict[str, Any] = dict(img_path=source.name, img_id=0)
        steps, pixels = self._pipeline, None
        if source.pixels is not None:
            loader, steps = self._loader(), self._others
            image = loader.to_colour(source.pixels, source.name, loader.background)
            pixels = shown_pixels(source.pixels) if source.pixels.dtype == np.uint16 else image
            image = image.astype(np.float32) if loader.to_float32 else image
            results |= dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
        try:
            sample = steps(results)
        except ImageError as error:
            return error
        if not isinstance(sample, dict) or not {'inputs', 'data_samples'} <= sample.keys():
            raise CheckpointUnreadable(
                'the pipeline of this checkpoint does not end with packing the inputs: give a '
                'checkpoint that rexdense train has written'
            )
        return Packed(source, pixels, sample['inputs'], sample['data_samples'])

    def _loader(self) -> LoadImage:
        if isinstance(self._first, LoadImage):
            return self._first
        if isinstance(self._first, LoadImageFromFile):
            return LoadImage(to_float32=self._first.to_float32)
        raise InvalidArgument(
            f'the pipeline of this checkpoint begins with {type(self._first).__name__}, not with '
            'LoadImage: give image files instead of arrays and videos'
        )
