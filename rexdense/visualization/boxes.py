"""Boxes, masks and labels drawn onto images."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from rexdense.visualization.tiles import text_size, write_text

__all__ = ['Objects', 'draw_objects', 'palette']

MASK_OPACITY = 0.45
# Okabe and Ito's colours (2008), told apart with any colour vision; RGB.
_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


def palette(index: int) -> tuple[int, int, int]:
    """Return the colour (R, G, B) of a class; past the seventh the colours return darker."""
    shade = 0.75 ** (index // len(_COLOURS))
    red, green, blue = _COLOURS[index % len(_COLOURS)]
    return int(red * shade), int(green * shade), int(blue * shade)


@dataclasses.dataclass
class Objects:
    """The objects of one image, in its own pixels.

    Attributes:
        boxes: (K, 4): x1, y1, x2, y2.
        labels: (K,), class indices.
        scores: (K,), 0 to 1; None for annotations.
        masks: (K, H, W), bool; None where there are boxes only.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None
    masks: np.ndarray | None = None

    @classmethod
    def predicted(cls, sample, lowest_score: float) -> 'Objects':
        """Take the predictions of mmdet's data sample that score at least ``lowest_score``."""
        instances = sample.pred_instances.cpu()
        kept = instances[instances.scores >= lowest_score]
        masks = kept.masks.numpy().astype(bool) if 'masks' in kept else None
        return cls(
            kept.bboxes.float().numpy(), kept.labels.numpy(), kept.scores.float().numpy(), masks
        )

    @classmethod
    def annotated(cls, instances: Sequence[dict]) -> 'Objects':
        """Take the annotations of one image as mmdet's data sets list them."""
        boxes = np.array([instance['bbox'] for instance in instances], np.float32).reshape(-1, 4)
        return cls(boxes, np.array([instance['bbox_label'] for instance in instances], np.int64))


def draw_objects(image: np.ndarray, objects: Objects, classes: Sequence[str]) -> np.ndarray:
    """Return a copy of an image (H, W, 3), uint8, RGB, with objects and their names drawn on it."""
    image = image.copy()
    for mask, label in zip(
        objects.masks if objects.masks is not None else (), objects.labels, strict=False
    ):
        image[mask] = (
            image[mask] * (1 - MASK_OPACITY) + np.array(palette(label)) * MASK_OPACITY
        ).astype(np.uint8)
    thickness = max(1, round(min(image.shape[:2]) / 300))
    for index, label in enumerate(objects.labels):
        left, top, right, bottom = (round(float(value)) for value in objects.boxes[index])
        cv2.rectangle(image, (left, top), (right, bottom), palette(label), thickness)
        text = (
            classes[label]
            if objects.scores is None
            else f'{classes[label]} {objects.scores[index]:.2f}'
        )
        _draw_label(image, text, left, top, palette(label))
    return image


def _draw_label(
    image: np.ndarray, text: str, left: int, top: int, colour: tuple[int, int, int]
) -> None:
    """Write a text in a filled box above the point, moved to lie inside the image."""
    size = max(0.32, min(image.shape[:2]) / 1400)
    width, height, below = text_size(text, size)
    left = min(max(left, 0), max(image.shape[1] - width, 0))
    top = max(top, height + below)
    cv2.rectangle(image, (left, top - height - below), (left + width, top), colour, cv2.FILLED)
    ink = (0, 0, 0) if sum(colour) > 330 else (255, 255, 255)
    write_text(image, text, left, top - below // 2, size, ink)
