"""Drawing of boxes, masks and labels on images."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from rexdense.datasets.coco.masks import decode_mask
from rexdense.visualization.tiles import text_size, write_text

MASK_OPACITY = 0.45
SMALLEST_TEXT, TEXTS_IN_A_SIDE = 0.35, 1800
"""Text size of names, where 1 has capital letters of 22 pixels: the smallest size, and the number
of pixels of the picture's shorter side at a size of 1."""
SAME_PLACE = 0.6
"""IoU of two boxes around one object. It is well above that of neighbouring objects, and below that
of the two boxes that a detector draws for two classes of one object."""
# The colours of Okabe and Ito (2008), distinguishable with any colour vision; RGB.
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
    """Return the colour (R, G, B) of a class; after the seventh, the colours repeat in darker
    shades."""
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
        masks: (K, H, W), bool; None if there are only boxes.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None
    masks: np.ndarray | None = None

    @classmethod
    def predicted(cls, sample, lowest_score: float) -> 'Objects':
        """Return the predictions in mmdet's data sample with a score of at least
        ``lowest_score``."""
        instances = sample.pred_instances.cpu()
        kept = instances[instances.scores >= lowest_score]
        masks = kept.masks.numpy().astype(bool, copy=False) if 'masks' in kept else None
        return cls(
            kept.bboxes.float().numpy(), kept.labels.numpy(), kept.scores.float().numpy(), masks
        )

    @classmethod
    def annotated(cls, instances: Sequence[dict], size: tuple[int, int] | None = None) -> 'Objects':
        """Return the annotations of one image in the form of mmdet's data sets.

        Args:
            size: (height, width) of the image, to add masks if all objects have one.
        """
        boxes = np.array([instance['bbox'] for instance in instances], np.float32).reshape(-1, 4)
        labels = np.array([instance['bbox_label'] for instance in instances], np.int64)
        masks = None
        if size is not None and all(instance.get('mask') for instance in instances):
            masks = np.zeros((len(instances), *size), bool)
            for place, instance in enumerate(instances):
                masks[place] = decode_mask(instance['mask'], *size)
        return cls(boxes, labels, masks=masks)

    def one_per_object(self) -> 'Objects':
        """Return the objects without those that overlap a better object of another class.

        Detectors suppress overlapping boxes per class, so an object that resembles two classes gets
        a box of each. Boxes overlap at an IoU of ``SAME_PLACE`` or more.
        """
        if self.scores is None or len(self.boxes) < 2:
            return self
        overlaps = box_overlaps(self.boxes, self.boxes)
        kept: list[int] = []
        for index in np.argsort(-self.scores, kind='stable'):
            rivals = [other for other in kept if self.labels[other] != self.labels[index]]
            if not (overlaps[index, rivals] >= SAME_PLACE).any():
                kept.append(index)
        return self.chosen(np.sort(kept))

    def chosen(self, index: Sequence[int] | Sequence[bool] | np.ndarray) -> 'Objects':
        """Return the objects that a NumPy index selects: indices, or a bool for each object."""
        # An empty list would become an array of floats.
        index = np.asarray(index) if len(index) else np.zeros(0, np.int64)
        scores = None if self.scores is None else self.scores[index]
        masks = None if self.masks is None else self.masks[index]
        return Objects(self.boxes[index], self.labels[index], scores, masks)

    def resized(self, before: tuple[int, int], after: tuple[int, int]) -> 'Objects':
        """Return the objects scaled for a resized image.

        Args:
            before, after: (height, width).
        """
        if tuple(before) == tuple(after):
            return self
        factors = np.divide(after[::-1], before[::-1])
        masks = self.masks
        if masks is not None:
            resized = [cv2.resize(mask.astype(np.float32), after[::-1]) > 0.5 for mask in masks]
            masks = np.array(resized, bool).reshape(-1, *after)
        return Objects(self.boxes * np.tile(factors, 2), self.labels, self.scores, masks)


def box_overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the intersection over union (K, L) of boxes (K, 4) with others (L, 4)."""
    corners, opposite = (np.asarray(each, np.float64) for each in (boxes, others))
    first = np.maximum(corners[:, None, :2], opposite[None, :, :2])
    last = np.minimum(corners[:, None, 2:], opposite[None, :, 2:])
    common = (last - first).clip(0).prod(-1)
    areas, others_areas = (
        (each[:, 2:] - each[:, :2]).clip(0).prod(-1) for each in (corners, opposite)
    )
    union = areas[:, None] + others_areas[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def draw_objects(
    image: np.ndarray,
    objects: Objects,
    classes: Sequence[str],
    opacity: float | None = None,
) -> np.ndarray:
    """Return a copy of an image (H, W, 3), uint8, RGB, with the objects and their names drawn on
    it.

    Masks are filled and outlined. Names and scores are drawn without overlaps, best scores first; a
    name without room around its box is left out. The name of a single class is not drawn, because
    it would only hide objects.

    Args:
        opacity: Opacity of masks, from 0 to 1; None takes ``MASK_OPACITY``.
    """
    image = image.copy()
    opacity = MASK_OPACITY if opacity is None else opacity
    thickness = max(1, round(min(image.shape[:2]) / 450))
    for mask, label in zip(
        objects.masks if objects.masks is not None else (), objects.labels, strict=False
    ):
        _draw_mask(image, mask, palette(label), thickness, opacity)
    for box, label in zip(objects.boxes, objects.labels, strict=True):
        left, top, right, bottom = (round(float(value)) for value in box)
        cv2.rectangle(image, (left, top), (right, bottom), palette(label), thickness)
    names = [classes[label] if len(classes) > 1 else '' for label in objects.labels]
    order = range(len(names))
    if objects.scores is not None:
        scored = zip(names, objects.scores, strict=True)
        names = [f'{name} {score:.2f}'.lstrip() for name, score in scored]
        order = np.argsort(-objects.scores, kind='stable')
    taken: list[_Rectangle] = []
    for index in order:
        if not names[index]:
            continue
        _draw_name(image, names[index], objects.boxes[index], palette(objects.labels[index]), taken)
    return image


def _draw_mask(
    image: np.ndarray,
    mask: np.ndarray,
    colour: tuple[int, int, int],
    thickness: int,
    opacity: float,
) -> None:
    """Tint the pixels of a mask, and draw its outline on top."""
    tint = np.array(colour) * opacity
    image[mask] = (image[mask] * (1 - opacity) + tint).astype(np.uint8)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, outlines, -1, colour, thickness)


_Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def _draw_name(
    image: np.ndarray,
    text: str,
    box: np.ndarray,
    colour: tuple[int, int, int],
    taken: list[_Rectangle],
) -> None:
    """Draw a text in a filled rectangle at the box, inside the image and outside the ``taken``
    rectangles, and append the rectangle to them. The first free place is above the box, below it,
    or in its corners."""
    size = max(SMALLEST_TEXT, min(image.shape[:2]) / TEXTS_IN_A_SIDE)
    width, height, below = text_size(text, size)
    height += below
    left, top, right, bottom = (round(float(value)) for value in box)
    beyond, within = (top - height, bottom), (top, bottom - height)
    places = [(x, y) for x in (left, right - width) for y in beyond]
    places += [(x, y) for x in (left, right - width) for y in within]
    for x, y in places:
        x = min(max(x, 0), max(image.shape[1] - width, 0))
        y = min(max(y, 0), max(image.shape[0] - height - 1, 0))
        place = (x, y, x + width, y + height)
        if not any(_overlap(place, other) for other in taken):
            break
    else:
        return
    taken.append(place)
    cv2.rectangle(image, place[:2], place[2:], colour, cv2.FILLED)
    baseline = (x, y + height - below // 2)
    write_text(image, text, *baseline, size, _ink_on(colour))


def _ink_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return black or white, whichever has the higher contrast with a colour.

    Contrast and luminance are defined as in WCAG 2.2, with a power of 2.2 for the sRGB curve. At a
    luminance of 0.179 both have the same contrast.
    """
    red, green, blue = ((value / 255) ** 2.2 for value in colour)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def _overlap(one: _Rectangle, other: _Rectangle) -> bool:
    return all(max(one[i], other[i]) <= min(one[i + 2], other[i + 2]) for i in (0, 1))
