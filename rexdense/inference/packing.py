"""Images as the model of a checkpoint takes them."""

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
    """An image as the model takes it.

    Attributes:
        pixels: (H, W, 3), uint8, BGR, as pictures show them; None for an image file.
        inputs: (3, h, w).
        sample: Where the model writes what it predicts.
    """

    source: Source
    pixels: np.ndarray | None
    inputs: torch.Tensor
    sample: Any

    @property
    def size(self) -> tuple[int, ...]:
        """The size that all images of a batch share: mmseg takes no others together, and mmdet
        would fill up the smaller ones, which changes what is found in them."""
        return (*self.inputs.shape, *self.sample.ori_shape)


class Packer:
    """The pipeline of a checkpoint, which begins with the reading of a file, for arrays as well.

    Args:
        pipeline: Makes the model's input from the path of an image.
    """

    def __init__(self, pipeline: Compose) -> None:
        self._pipeline = pipeline
        steps: Sequence[Any] = pipeline.transforms or (None,)
        self._first, *others = steps
        self._others = Compose(others)

    def __call__(self, source: Source) -> Packed | ImageError:
        """Return an image as the model takes it, or why it cannot be used.

        Raises:
            CheckpointUnreadable: the pipeline makes something else.
            InvalidArgument: the pipeline does not begin with the reading of a file, and the image
                is an array.
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
