"""The metric of the 2018 Data Science Bowl for segmentations of nuclei."""

from collections.abc import Iterable

import numpy as np

from rexdense.datasets.coco.masks import decode_mask
from rexdense.evaluation.coco_comparison import ComparedImage

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""IoUs from 0.5 to 0.95."""

IN_CROWD = 0.5
"""Share of a predicted object inside a crowd from which it counts as part of the crowd."""


def data_science_bowl(images: Iterable[ComparedImage], score: float = 0.5) -> float:
    """Return the score of the 2018 Data Science Bowl, from 0 to 1; NaN if no image counts.

    At an IoU of t, a predicted object is a true positive (TP) if its IoU with an annotated one is
    above t. The other predicted objects are false positives (FP), and the unmatched annotated
    objects are false negatives (FN). The score of an image is the mean over t = 0.5, 0.55 ... 0.95
    of TP / (TP + FP + FN), and that of a data set the mean over its images. The competition
    requires masks without overlaps, so each pixel belongs to the best of the masks that cover it,
    and a mask without a pixel is no object. Classes do not matter.

    Two cases are not defined by the competition: an image without annotated and predicted objects
    is left out, and a predicted object that is half inside a crowd is neither true nor false.

    Source: kaggle.com/c/data-science-bowl-2018#evaluation; the same in Caicedo et al., "Nucleus
    segmentation across imaging experiments: the 2018 Data Science Bowl", Nature Methods 16, 2019.

    Args:
        images: images compared by masks, see
            :func:`~rexdense.evaluation.coco_comparison.compared_images`.
        score: lowest score of detections that count as objects.
    """
    scores = [_of_image(image, score) for image in images]
    scores = [value for value in scores if value is not None]
    return float(np.mean(scores)) if scores else float('nan')


def _of_image(image: ComparedImage, score: float) -> float | None:
    """Return the score of an image; None if there is nothing in it."""
    numbers, count = _apart(image, score)
    areas = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    best, in_crowd = np.zeros(count), np.zeros(count, bool)
    for entry, crowd in zip(image.annotations, image.crowd, strict=True):
        mask = decode_mask(entry['segmentation'], *image.size)
        common = np.bincount(numbers[mask], minlength=count + 1)[1:]
        if crowd:
            in_crowd |= common >= IN_CROWD * areas
        else:
            best = np.maximum(best, common / np.maximum(areas + int(mask.sum()) - common, 1))
    objects = int((~image.crowd).sum())
    best = best[(best > THRESHOLDS[0]) | ~in_crowd]
    if not objects + len(best):
        return None
    values = []
    for threshold in THRESHOLDS:
        # Above 0.5 and without overlaps, an object matches at most one other. If annotations
        # overlap, a predicted object counts once.
        right = int((best > threshold).sum())
        values.append(right / (len(best) + objects - right))
    return float(np.mean(values))


def _apart(image: ComparedImage, score: float) -> tuple[np.ndarray, int]:
    """Return an int map (height, width) of the objects, and their number. The objects are numbered
    from 1; each pixel has the number of its object with the highest score, or 0."""
    numbers = np.zeros(image.size, np.int32)
    count = 0
    for value, detection in zip(image.scores, image.detections, strict=True):
        if value >= score:
            mask = decode_mask(detection['segmentation'], *image.size) & (numbers == 0)
            if mask.any():
                count += 1
                numbers[mask] = count
    return numbers, count
