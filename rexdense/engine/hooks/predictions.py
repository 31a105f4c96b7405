"""Hooks of an evaluation: optimised models, runtimes, flip tests, files and pictures of
predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from rexdense.device import bare_model
from rexdense.engine.trained.flips import flip_tested
from rexdense.engine.trained.model import for_inference
from rexdense.engine.trained.runtime import use_runtime
from rexdense.files.output_names import Rename, output_paths
from rexdense.files.writing import atomic_write
from rexdense.tasks import Task
from rexdense.visualization.picture_files import read_picture, write_picture


class OptimizeModel(Hook):
    """Optimise the model after its weights are loaded and before other hooks use it."""

    priority = 'HIGHEST'

    def before_test(self, runner) -> None:
        """Replace the model by the optimised one."""
        runner.model = for_inference(bare_model(runner.model).eval())


class UseRuntime(Hook):
    """Compute the network in another runtime after its weights are loaded.

    Args:
        runtime, checkpoint: See :func:`~rexdense.engine.trained.runtime.use_runtime`.
    """

    priority = 'HIGHEST'

    def __init__(self, runtime: str, checkpoint: Path) -> None:
        self.runtime, self.checkpoint = runtime, checkpoint

    def before_test(self, runner) -> None:
        """Replace the network by the graph."""
        use_runtime(bare_model(runner.model).eval(), self.runtime, self.checkpoint)


class PredictFlippedToo(Hook):
    """Make the model also predict from mirrored images, after its weights are loaded.

    Args:
        directions: Detectors: see :func:`rexdense.engine.trained.flips.flip_tested`.
    """

    def __init__(self, directions: Sequence[str]) -> None:
        self.directions = directions

    def before_test(self, runner) -> None:
        """Replace the model by its flip test."""
        runner.model = flip_tested(runner.model, self.directions)


class _FilePerImage(Hook):
    """Write a file for each test image. An existing file is replaced, because several processes may
    get the same image.

    Args:
        places: Output file by the path of the image.
        task: Task that draws and writes predictions.
    """

    def __init__(self, places: Mapping[str, Path], task: Task) -> None:
        self.places = places
        self.task = task


class DrawPredictions(_FilePerImage):
    """Draw each test image with its predictions; for segmentors and depth estimators beside the
    truth."""

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw the images of one batch."""
        for sample in outputs:
            image = read_picture(sample.img_path, sample.ori_shape)
            picture = self.task.draw(image, sample)
            write_picture(self.places[sample.img_path], picture, overwrite=True)


class WritePredictions(_FilePerImage):
    """Write the label map or the depth map of each test image."""

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Write the maps of one batch."""
        for sample in outputs:
            path, content = self.places[sample.img_path], self.task.encode(sample)
            atomic_write(path, content, overwrite=True, make_folder=True)


def places_of_samples(
    dataset: Any, folder: Path, renames: Sequence[Rename], reserved: Sequence[str] = ()
) -> dict[str, Path]:
    """Return the output file of each image. Its path is that of the image relative to the data
    set's image folder, so that equal names in several folders stay separate. Raise InvalidArgument
    if a link leads out of ``folder``.

    Args:
        renames, reserved: As for :func:`rexdense.files.output_names.output_names`.
    """
    prefix = getattr(dataset, 'data_prefix', {})
    images = prefix.get('img') or prefix.get('img_path') or None
    paths = [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    return output_paths(folder, paths, images, renames, reserved)
