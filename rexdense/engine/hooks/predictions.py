"""Hooks of measuring: optimised models, runtimes, flip tests, files and pictures of predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from rexdense.device import bare_model
from rexdense.engine.trained.flips import flip_tested
from rexdense.engine.trained.model import for_inference
from rexdense.engine.trained.runtime import use_runtime
from rexdense.files import atomic_write
from rexdense.output_names import Rename, output_paths
from rexdense.tasks import Task
from rexdense.visualization.picture_files import read_picture, write_picture


class OptimizeModel(Hook):
    """Optimises the model once its weights are loaded, and before other hooks watch it."""

    priority = 'HIGHEST'

    def before_test(self, runner) -> None:
        """Put the optimised model in the model's place."""
        runner.model = for_inference(bare_model(runner.model).eval())


class UseRuntime(Hook):
    """Lets another runtime compute the network once its weights are loaded.

    Args:
        runtime, checkpoint: See :func:`~rexdense.engine.trained.runtime.use_runtime`.
    """

    priority = 'HIGHEST'

    def __init__(self, runtime: str, checkpoint: Path) -> None:
        self.runtime, self.checkpoint = runtime, checkpoint

    def before_test(self, runner) -> None:
        """Put the graph in the network's place."""
        use_runtime(bare_model(runner.model).eval(), self.runtime, self.checkpoint)


class PredictFlippedToo(Hook):
    """Makes the model predict from mirrored images, too, once its weights are loaded.

    Args:
        directions: Of a detector: see :func:`rexdense.engine.trained.flips.flip_tested`.
    """

    def __init__(self, directions: Sequence[str]) -> None:
        self.directions = directions

    def before_test(self, runner) -> None:
        """Put the model into a flip test."""
        runner.model = flip_tested(runner.model, self.directions)


class _Folder(Hook):
    """Writes a file for each test image; one that is there is replaced, since several processes may
    be given the same image.

    Args:
        places: Where the file of each image goes, by the image's path.
        task: What is drawn and written.
    """

    def __init__(self, places: Mapping[str, Path], task: Task) -> None:
        self.places = places
        self.task = task


class DrawPredictions(_Folder):
    """Draws each test image with what is predicted, beside the truth for segmentors and depth
    estimators."""

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw the images of one batch."""
        for sample in outputs:
            image = read_picture(sample.img_path, sample.ori_shape)
            picture = self.task.draw(image, sample)
            write_picture(self.places[sample.img_path], picture, overwrite=True)


class WritePredictions(_Folder):
    """Writes the label map or the depth map of each test image."""

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Write those of one batch."""
        for sample in outputs:
            path, content = self.places[sample.img_path], self.task.encode(sample)
            atomic_write(path, content, overwrite=True, make_folder=True)


def places_of_samples(
    dataset: Any, folder: Path, renames: Sequence[Rename], reserved: Sequence[str] = ()
) -> dict[str, Path]:
    """Return the place of each image's file: that of the image below the data set's folder of
    images, so that names in several folders stay apart. Raise InvalidArgument where a link leads
    out of ``folder``.

    Args:
        renames, reserved: As for :func:`rexdense.output_names.output_names`.
    """
    prefix = getattr(dataset, 'data_prefix', {})
    images = prefix.get('img') or prefix.get('img_path') or None
    paths = [dataset.get_data_info(index)['img_path'] for index in range(len(dataset))]
    return output_paths(folder, paths, images, renames, reserved)
