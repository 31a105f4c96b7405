"""Images so thin that scaling them would leave no pixel of a side."""

from typing import Any

import mmcv
from mmcv.transforms import Resize
from mmengine.dataset import Compose
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop

from rexdense.engine.hooks import innermost_datasets

__all__ = ['KeepAPixel', 'keep_a_pixel']


class _AtLeastAPixel:
    """A resizing transform that leaves a pixel of each side.

    mmcv rounds the shorter side of an image of 3000 x 2 pixels, scaled into 512 x 512, to none.
    """

    def __init__(self, resize: Resize) -> None:
        self.resize = resize

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        resize, size = self.resize, self._size(*results['img'].shape[:2])
        if min(size) > 0:
            return resize(results)
        before = resize.scale, resize.scale_factor, resize.keep_ratio
        resize.scale, resize.scale_factor = tuple(max(1, side) for side in size), None
        resize.keep_ratio = False
        try:
            return resize(results)
        finally:
            resize.scale, resize.scale_factor, resize.keep_ratio = before

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (width, height) that mmcv scales an image to."""
        resize = self.resize
        if resize.scale is None:
            factors = resize.scale_factor
            return int(width * factors[0] + 0.5), int(height * factors[1] + 0.5)
        return (
            mmcv.rescale_size((width, height), resize.scale) if resize.keep_ratio else resize.scale
        )

    def __repr__(self) -> str:
        return f'{self.resize!r} that keeps a pixel'


def keep_a_pixel(pipeline: Compose) -> None:
    """Let the resizing transforms of a pipeline leave at least a pixel of each side."""
    pipeline.transforms = [
        _AtLeastAPixel(step) if isinstance(step, Resize) else step for step in pipeline.transforms
    ]


class KeepAPixel(Hook):
    """Lets thin images be measured, before any is loaded."""

    def before_run(self, runner) -> None:
        """Change the pipelines of the validation and the test data."""
        # The public names would build loops that the run has no need of.
        for loop in (runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop):
                for dataset in innermost_datasets(loop.dataloader.dataset):
                    keep_a_pixel(dataset.pipeline)
