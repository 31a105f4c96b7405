"""The interface of the tasks: all that the programs ask of each kind of model."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rexdense.arch.checks import require_ratio
from rexdense.errors import UnknownName, suggest


class Example(NamedTuple):
    """A validation image and what a model says of it.

    Attributes:
        image: (H, W, 3), uint8, RGB, in its own pixels.
        sample: A data sample with predictions, mmdet's, mmseg's or of a classifier.
        info: What the data set lists of the image.
    """

    image: np.ndarray
    sample: Any
    info: Mapping[str, Any]


class Task(ABC):
    """The drawing, the files and the description of the predictions of one kind of model.

    Attributes:
        data_folder: Folder, below that of the pictures, for files that hold the predictions
            themselves; None where a JSON can hold them.
        data_ending: The ending of these files.
        overview_size: Of how many images at most one picture shows the predictions; 0 where each
            image's own picture says it better.
        shown_classes: Names of the classes that are drawn and described; None for all.
        opacity: Of what is laid over an image, from 0, where the image alone is seen, to 1; None
            for what suits the task.
    """

    data_folder: str | None = None
    data_ending = '.png'
    overview_size = 0
    shown_classes: frozenset[str] | None = None
    opacity: float | None = None

    def __init__(self, metainfo: Mapping[str, Sequence]) -> None:
        self.classes: tuple[str, ...] = tuple(metainfo.get('classes') or ())

    def showing(
        self, classes: Collection[str] | None = None, opacity: float | None = None
    ) -> 'Task':
        """Return a task that draws and describes predictions otherwise; this one stays as it is.

        Args:
            classes, opacity: ``shown_classes`` and ``opacity`` of that task.

        Raises:
            UnknownName: a class is none of the model's.
            InvalidArgument: the opacity is not from 0 to 1.
        """
        if opacity is not None:
            require_ratio('opacity', opacity)
        for name in classes or ():
            if name not in self.classes:
                raise UnknownName(f'no class {name!r}: {suggest(name, self.classes)}')
        result = copy.copy(self)
        result.shown_classes = None if classes is None else frozenset(classes)
        result.opacity = opacity
        return result

    def shows(self, label: int) -> bool:
        """Whether a class, by its place in ``classes``, is drawn and described."""
        return self.shown_classes is None or self.classes[label] in self.shown_classes

    def shown_part(self, sample: Any) -> Any:
        """Return a data sample with what is drawn, written and described of it alone, in the
        memory of the host."""
        return sample.cpu()

    @abstractmethod
    def draw(self, image: np.ndarray, sample: Any, as_frame: bool = False) -> np.ndarray:
        """Return the picture of a prediction, RGB, uint8.

        Args:
            image: (H, W, 3), uint8, RGB, in its own pixels.
            sample: A data sample with predictions.
            as_frame: Give pictures of images of one size one size, as a video needs it.
        """

    @abstractmethod
    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return a picture of several images, the truth and the prediction of each."""

    @abstractmethod
    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        """Return the description of a prediction in a line, and in a JSON."""

    def header(self) -> dict[str, Any]:
        """Return the part of the JSON about all predictions."""
        return dict(classes=list(self.classes))

    def document(self, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the JSON about all images.

        Args:
            images: What :meth:`describe` gave of each, with the path of the ``image``.
        """
        return dict(self.header(), images=list(images))

    def encode(self, sample: Any) -> bytes:
        """Return the content of the file that holds a prediction; only where ``data_folder`` is
        not None."""
        raise NotImplementedError

    def draw_overview(self, examples: Sequence[Example]) -> np.ndarray:
        """Return a picture of what is predicted for several images, whose truth is unknown; only
        where ``overview_size`` is not 0."""
        raise NotImplementedError

    def draw_scales(self, image: np.ndarray, samples: Mapping[int, Any]) -> np.ndarray:
        """Return a picture of the predictions of several outputs, by stride."""
        raise NotImplementedError


def map_of(sample: Any, key: str) -> np.ndarray:
    """Return a map of a data sample, such as ``pred_depth_map``, as (H, W), float32."""
    return sample.get(key).data.squeeze(0).float().cpu().numpy()
