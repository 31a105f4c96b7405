"""Hooks that keep what a model says while it is measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from rexdense.engine.picture_files import picture_name, read_picture, write_file, write_picture
from rexdense.engine.tasks import Task
from rexdense.models.flip_test import FlipTest

__all__ = ['DrawPredictions', 'PredictFlippedToo', 'WritePredictions']


class PredictFlippedToo(Hook):
    """Makes the model predict the mean with the mirrored image, once its weights are loaded."""

    def before_test(self, runner) -> None:
        """Put the model into a FlipTest."""
        runner.model = FlipTest(runner.model)


class _Folder(Hook):
    """Writes a file for each test image.

    Args:
        folder: Where the files go, named as the images.
        task: What is drawn and written.
    """

    def __init__(self, folder: Path, task: Task) -> None:
        self.folder = folder
        self.task = task

    def _places(self, runner, samples: Sequence[Any]) -> Iterator[tuple[Any, Path]]:
        """Yield each sample with the place that its image has in the folder."""
        prefix = getattr(runner.test_dataloader.dataset, 'data_prefix', {})
        images = Path(prefix.get('img') or prefix.get('img_path') or '')
        for sample in samples:
            path = Path(sample.img_path)
            # Images of one name in several folders get files in several folders.
            below = path.relative_to(images) if path.is_relative_to(images) else Path(path.name)
            yield sample, self.folder / below


class DrawPredictions(_Folder):
    """Draws each test image with what is predicted, beside the truth for segmentors and depth
    estimators."""

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw the images of one batch."""
        for sample, place in self._places(runner, outputs):
            image = read_picture(sample.img_path, sample.ori_shape)
            write_picture(place.with_name(picture_name(place)), self.task.draw(image, sample))


class WritePredictions(_Folder):
    """Writes the label map or the depth map of each test image."""

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Write those of one batch."""
        for sample, place in self._places(runner, outputs):
            write_file(place.with_suffix(self.task.data_ending), self.task.encode(sample))
