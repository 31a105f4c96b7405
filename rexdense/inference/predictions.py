"""Results of a prediction for one image, a class for each kind of model."""

import dataclasses
import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rexdense.arch.checks import require_ratio
from rexdense.dependencies import needed_packages
from rexdense.errors import InvalidArgument
from rexdense.tasks import Classification, Depth, Detection, Segmentation, Task, set_options
from rexdense.visualization.boxes import Objects
from rexdense.visualization.picture_files import read_picture, write_picture

_Kind = TypeVar('_Kind', bound='Prediction')


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """The prediction of a model for one image.

    Attributes:
        task: How it is drawn and written.
        sample: The data sample of mmdet, mmseg or the classifier, in host memory.
        path: The image or video file; None for an array.
        frame: Number of the frame in its video, from 0; None for an image.
        scales: Models with several outputs: the prediction of each output by stride, if requested.
    """

    task: Task
    sample: Any
    path: Path | None
    frame: int | None
    pixels: np.ndarray | None = dataclasses.field(repr=False)
    scales: Mapping[int, 'Prediction'] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the labels."""
        return self.task.classes

    @property
    def image(self) -> np.ndarray:
        """The image (H, W, 3), uint8, RGB. An image file is read again, which raises
        UnreadableImage if the file is gone or has changed."""
        if self.pixels is not None:
            return self.pixels[..., ::-1].copy()
        assert self.path is not None
        return read_picture(self.path)

    def draw(self, as_frame: bool = False) -> np.ndarray:
        """Return the picture of the prediction (H, W, 3), uint8, RGB; small images are enlarged.

        Args:
            as_frame: Make the size of the picture depend only on that of the image, as a video
                needs it.
        """
        return self.task.draw(self.image, self.sample, as_frame)

    def draw_scales(self) -> np.ndarray:
        """Return the pictures of ``scales`` side by side; raise InvalidArgument if there are
        none."""
        if not self.scales:
            raise InvalidArgument(
                "there are no scales to draw: make the Predictor with scales='all', for a model "
                'with several outputs'
            )
        samples = {stride: each.sample for stride, each in self.scales.items()}
        return self.task.draw_scales(self.image, samples)

    def showing(
        self: '_Kind',
        classes: Collection[str] | None = None,
        opacity: float | None = None,
        score: float | None = None,
        one_per_object: bool = False,
    ) -> '_Kind':
        """Return the same prediction with other settings for :meth:`draw` and :meth:`describe`.

        Args:
            classes: Names of the classes to show; None for all.
            opacity: Opacity of masks, label maps and depth over the image, from 0 to 1; None for
                the default of the task.
            score: Detectors: lowest score of the objects. Objects below the predictor's score do
                not come back.
            one_per_object: Detectors: where boxes of several classes surround one object, keep
                only the best.

        Raises:
            UnknownName: the model has no such class.
            InvalidArgument: a number is not from 0 to 1, or a setting is for another kind of model.
        """
        if score is not None:
            require_ratio('score', score)
        task = self.task.showing(classes, opacity)
        set_options(task, score=score, one_per_object=one_per_object or None)
        return dataclasses.replace(self, task=task)

    def save(self, path: str | Path, overwrite: bool = False) -> Path:
        """Write the picture of :meth:`draw` to a file, in the format of its ending.

        Raises:
            UnwritableFile: the file cannot be written, or exists and ``overwrite`` is False.
        """
        return write_picture(path, self.draw(), overwrite)

    def describe(self) -> dict[str, Any]:
        """Return the entry that ``rexdense predict`` writes to its JSON file."""
        return self.task.describe(self.sample)[1]

    def __str__(self) -> str:
        return self.task.describe(self.sample)[0]


class Detections(Prediction):
    """Objects found by a detector, best score first."""

    task: Detection

    @functools.cached_property
    def objects(self) -> Objects:
        """Boxes, scores, labels and masks of all objects, in pixels of the image."""
        return self.task.objects(self.sample)

    @property
    def boxes(self) -> np.ndarray:
        """(K, 4), float32: left, top, right, bottom in pixels of the image."""
        return self.objects.boxes

    @property
    def scores(self) -> np.ndarray:
        """(K,), float32, from 0 to 1."""
        assert self.objects.scores is not None
        return self.objects.scores

    @property
    def labels(self) -> np.ndarray:
        """(K,), int64: indices into ``classes``."""
        return self.objects.labels

    @property
    def names(self) -> list[str]:
        """The class of each object."""
        return [self.classes[label] for label in self.labels]

    @property
    def masks(self) -> np.ndarray | None:
        """(K, H, W), bool; None if the model finds only boxes."""
        return self.objects.masks

    def __len__(self) -> int:
        return len(self.objects.boxes)

    def draw(self, as_frame: bool = False, one_per_object: bool = False) -> np.ndarray:
        """Return the image with its objects, (H, W, 3), uint8, RGB; small images are enlarged.

        Args:
            as_frame: As for :meth:`Prediction.draw`.
            one_per_object: Where boxes of several classes surround one object, draw only the best.
        """
        objects = self.objects.one_per_object() if one_per_object else self.objects
        return self.task.draw_found(self.image, objects, as_frame)

    def to_coco(self, image_id: int = 1, first_id: int = 1) -> list[dict[str, Any]]:
        """Return the objects as COCO annotations with scores, and masks as run lengths. The first
        class has the category id 1.

        Args:
            image_id: Id of the image in the COCO file.
            first_id: Id of the first annotation; the following ones count up. Annotation ids must
                be unique in a COCO file.
        """
        return self.task.annotations(self.describe()['objects'], image_id, first_id)

    def to_supervision(self) -> Any:
        """Return the objects as ``supervision.Detections``, with the names under ``class_name`` in
        its data; raise MissingDependency if the package supervision is not installed."""
        with needed_packages('to_supervision'):
            from supervision import Detections as SupervisionDetections

        found = self.objects
        return SupervisionDetections(
            xyxy=found.boxes,
            mask=found.masks,
            confidence=found.scores,
            class_id=found.labels.astype(int),
            data={'class_name': np.array(self.names, str)},
        )


class LabelMap(Prediction):
    """A class for each pixel, from a segmentor."""

    task: Segmentation

    @property
    def labels(self) -> np.ndarray:
        """(H, W), uint16: indices into ``classes``."""
        return self.task.labels(self.sample)

    @property
    def shares(self) -> dict[str, float]:
        """The share of the pixels of each class found, rounded to four digits."""
        return self.describe()['shares']


class DepthMap(Prediction):
    """A distance for each pixel, from a depth estimator."""

    task: Depth

    @property
    def depth(self) -> np.ndarray:
        """(H, W), float32, in metres."""
        return self.task.depth(self.sample)


class ImageClass(Prediction):
    """A class for the image, from a classifier."""

    task: Classification

    @property
    def scores(self) -> np.ndarray:
        """(number of classes,), float32, from 0 to 1; they add up to 1 unless the classifier was
        trained with a binary loss."""
        return self.sample.scores.float().numpy()

    @property
    def label(self) -> int:
        """The index into ``classes`` of the likeliest class."""
        return int(self.scores.argmax())

    @property
    def name(self) -> str:
        """The likeliest class."""
        return self.classes[self.label]

    def likeliest(self, most: int = 5) -> list[tuple[str, float]]:
        """Return the likeliest classes with their scores, the best first."""
        return self.task.likeliest(self.sample, most)


_KINDS = {
    Detection: Detections,
    Segmentation: LabelMap,
    Depth: DepthMap,
    Classification: ImageClass,
}


def prediction_of(task: Task, **parts: Any) -> Prediction:
    """Return a prediction of the kind that the task makes."""
    return _KINDS[type(task)](task=task, **parts)
