"""The interface of the tasks: drawing, writing and describing predictions."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rexdense.arch.checks import require_ratio
from rexdense.errors import UnknownName, suggest


class Example(NamedTuple):
    """A validation image with its prediction.

    Attributes:
        image: (H, W, 3), uint8, RGB, in the original size.
        sample: A data sample of mmdet, mmseg or the classifier, with predictions.
        info: The entry of the image in the data set.
    """

    image: np.ndarray
    sample: Any
    info: Mapping[str, Any]


class Task(ABC):
    """The drawing, the files and the description of the predictions of one kind of model.

    Attributes:
        data_folder: Subfolder of the pictures' folder for files of predictions, such as label maps;
            None if the JSON holds the predictions.
        data_ending: The ending of these files.
        overview_size: Largest number of images in the overview picture; 0 for no overview.
        shown_classes: Names of the classes that are drawn and described; None for all.
        opacity: Opacity of the overlay, from 0 (only the image) to 1; None for the default.
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
        """Return a copy of the task with other settings for drawing and describing.

        Args:
            classes, opacity: ``shown_classes`` and ``opacity`` of the copy.

        Raises:
            UnknownName: the model has no such class.
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
        """Whether a class, by its index in ``classes``, is drawn and described."""
        return self.shown_classes is None or self.classes[label] in self.shown_classes

    def shown_part(self, sample: Any) -> Any:
        """Return a data sample in host memory, reduced to the parts that are drawn, written and
        described."""
        return sample.cpu()

    @abstractmethod
    def draw(self, image: np.ndarray, sample: Any, as_frame: bool = False) -> np.ndarray:
        """Return the picture of a prediction, RGB, uint8.

        Args:
            image: (H, W, 3), uint8, RGB, in the original size.
            sample: A data sample with predictions.
            as_frame: Make the size of the picture depend only on that of the image, as a video
                needs it.
        """

    @abstractmethod
    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return a picture of several images with their truth and prediction."""

    @abstractmethod
    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        """Return the description of a prediction as a line, and as an entry of the JSON."""

    def header(self) -> dict[str, Any]:
        """Return the part of the JSON about all predictions."""
        return dict(classes=list(self.classes))

    def document(self, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the JSON about all images.

        Args:
            images: The entries of :meth:`describe`, with the path of the ``image``.
        """
        return dict(self.header(), images=list(images))

    def encode(self, sample: Any) -> bytes:
        """Return the content of the file of a prediction; only if ``data_folder`` is not None."""
        raise NotImplementedError

    def draw_overview(self, examples: Sequence[Example]) -> np.ndarray:
        """Return a picture of the predictions for several images without truth; only if
        ``overview_size`` is not 0."""
        raise NotImplementedError

    def draw_scales(self, image: np.ndarray, samples: Mapping[int, Any]) -> np.ndarray:
        """Return a picture of the predictions of several outputs, by stride."""
        raise NotImplementedError


def map_of(sample: Any, key: str) -> np.ndarray:
    """Return a map of a data sample, such as ``pred_depth_map``, as (H, W), float32."""
    return sample.get(key).data.squeeze(0).float().cpu().numpy()
