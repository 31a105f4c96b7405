"""Stored predictions for a visitor's images, drawn again without a forward pass."""

import dataclasses
import io
import os
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rexdense.datasets.images.loading import ImageError
from rexdense.files.output_names import safe_name
from rexdense.files.writing import scratch_folder
from rexdense.inference import Prediction, Predictor
from rexdense.inference.writing import write_prediction
from rexdense.tasks import Classification, Depth, Detection, Segmentation, Task
from rexdense.tasks.prediction_files import places_of, write_results
from rexdense.visualization.picture_files import at_most, read_picture
from rexdense.web.kept_predictions import KeptPrediction
from rexdense.web.uploads import Limits, check_upload

THUMBNAIL_SIDE = 240


class View(NamedTuple):
    """The settings of the view of results.

    Attributes:
        score: Detectors: lowest score of objects.
        one_per_object: Detectors: whether only the best box around an object is shown.
        classes: Names of the classes that are shown; None or empty for all.
        opacity: Opacity of masks, label maps and depth, from 0 to 1; None for the default of the
            task.
    """

    score: float | None = None
    one_per_object: bool = False
    classes: Collection[str] | None = None
    opacity: float | None = None

    def of(self, prediction: Prediction) -> Prediction:
        """Return a prediction with the settings of the view. Settings for another kind of model,
        and classes of another model, are ignored, because a page may still hold them."""
        detected = isinstance(prediction.task, Detection)
        classes = [name for name in self.classes or () if name in prediction.classes]
        return prediction.showing(
            classes or None,
            self.opacity,
            self.score if detected else None,
            self.one_per_object and detected,
        )


class Image(NamedTuple):
    """A visitor's image with its prediction.

    Attributes:
        name: Unique name among the visitor's images.
        file: The file on the server.
        kept: The stored prediction.
    """

    name: str
    file: Path
    kept: KeptPrediction

    @property
    def prediction(self) -> Prediction:
        """The prediction, without the image."""
        return self.kept.prediction()

    def thumbnail(self) -> np.ndarray:
        """Return a small picture (H, W, 3), uint8, RGB, of the image; raise ImageError if the file
        is gone."""
        return at_most(self._picture(), THUMBNAIL_SIDE)

    def prediction_with_pixels(self) -> Prediction:
        """Return the prediction with the image in memory, under the visitor's name for it. Raise
        ImageError if the file is gone."""
        pixels = self._picture()[..., ::-1]
        return dataclasses.replace(self.prediction, path=Path(self.name), pixels=pixels)

    def _picture(self) -> np.ndarray:
        try:
            return read_picture(self.file)
        except ImageError as error:
            raise ImageError(f'{self.name} is no longer kept here: upload it again') from error


class Results:
    """The predictions for the images of one visitor.

    Attributes:
        task: The task of the checkpoint.
        images: The images that could be used.
        left_out: A line for each of the others.
        files: All uploaded files.
    """

    def __init__(
        self, task: Task, images: Sequence[Image], left_out: Sequence[str], files: Sequence[Path]
    ) -> None:
        self.task, self.images, self.left_out = task, list(images), list(left_out)
        self.files = list(files)
        self._current: tuple[int, Prediction] | None = None

    def prediction(self, place: int, view: View) -> Prediction:
        """Return the prediction for an image as the view shows it. Its pixels stay in memory until
        another image is requested.

        Raises:
            ImageError: the file is gone.
        """
        current = self._current
        if current is None or current[0] != place:
            current = place, self.images[place].prediction_with_pixels()
            self._current = current
        return view.of(current[1])

    def archive(self, view: View) -> bytes:
        """Return a zip with the files that ``rexdense predict`` writes, for all images as the view
        shows them. Raise ImageError if a file is gone."""
        with scratch_folder() as folder:
            names = [Path(image.name) for image in self.images]
            strides = self.images[0].kept.strides
            places = places_of(names, folder, self.task, strides)
            entries = []
            for image, place in zip(self.images, places, strict=True):
                prediction = view.of(image.prediction_with_pixels())
                entries.append(write_prediction(prediction, place, folder))
            files = [file for place in places for file in place.files()]
            reasons = [ImageError(line) for line in self.left_out]
            written = write_results(folder, self.task, entries, files, reasons)
            return _zipped(folder, [*files, written])


def find(
    predictor: Predictor,
    files: Sequence[Path],
    limits: Limits,
    on_image: Callable[[int], object] = lambda done: None,
) -> Results:
    """Return the predictions for uploaded files.

    Args:
        on_image: Called with the number of finished images.
    """
    left_out = []
    if len(files) > limits.images:
        left_out.append(
            f'{len(files)} files are too many at once: the first {limits.images} are taken'
        )
    images = []
    for done, (name, file) in enumerate(_named(files[: limits.images])):
        on_image(done)
        try:
            check_upload(file, limits)
            (prediction,) = predictor(file)
        except ImageError as error:
            left_out.append(str(error).replace(str(file), name))
            continue
        images.append(Image(name, file, KeptPrediction(prediction)))
    return Results(predictor.task, images, left_out, files)


def rows_of(prediction: Prediction) -> tuple[list[str], list[list[Any]]]:
    """Return the table of a prediction: its column titles and its rows."""
    task, said = prediction.task, prediction.describe()
    if isinstance(task, Detection):
        rows = [
            [entry['label'], entry['score'], ', '.join(f'{value:.0f}' for value in entry['box'])]
            for entry in sorted(said['objects'], key=lambda entry: -entry['score'])
        ]
        return ['class', 'score', 'left, top, right, bottom'], rows
    if isinstance(task, Segmentation):
        rows = sorted(said['shares'].items(), key=lambda pair: -pair[1])
        return ['class', 'share of the pixels'], [list(row) for row in rows]
    if isinstance(task, Depth):
        return ['depth', 'metres'], [[name, value] for name, value in said.items()]
    assert isinstance(task, Classification)
    return ['class', 'score'], [[entry['label'], entry['score']] for entry in said['scores']]


def _named(files: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the files with unique names: repeated names get a number."""
    taken: set[str] = set()
    for file in files:
        name, number = safe_name(file.name), 2
        while name.lower() in taken:
            stem, ending = os.path.splitext(safe_name(file.name))
            name, number = f'{stem}_{number}{ending}', number + 1
        taken.add(name.lower())
        yield name, file


def _zipped(folder: Path, files: Sequence[Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for file in files:
            archive.writestr(file.relative_to(folder).as_posix(), file.read_bytes())
    return buffer.getvalue()
