"""Boundary IoU: the boundary areas of segmented regions that it compares.

Source: Cheng, Girshick, Dollár, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image
Segmentation Evaluation" (CVPR 2021), sections 4 and 5.
"""

import math

import cv2
import numpy as np

BOUNDARY_SHARE = 0.02
"""Width of a boundary as a share of the image's diagonal (section 5.1)."""


def boundary_width(height: int, width: int, share: float = BOUNDARY_SHARE) -> int:
    """Return the width of the boundaries in an image in pixels, at least 1.

    Example:
        >>> boundary_width(360, 480)
        12
    """
    return max(1, round(share * math.hypot(height, width)))


def boundary_pixels(labels: np.ndarray, void: np.ndarray, width: int) -> np.ndarray:
    """Return a mask (H, W) of the pixels within ``width`` of the contour of their own region.

    The distance is the larger of the horizontal and the vertical distance. The edge of the image
    belongs to the contour, as in the authors' code, which erodes each mask ``width`` times by a
    square of 3 x 3. Void counts as part of any region beside it, so it makes no contour.

    Args:
        labels: (H, W), class indices below 65534.
        void: (H, W) of bool: pixels without a label.

    Example:
        >>> labels = np.zeros((5, 5), int)
        >>> boundary_pixels(labels, labels == 255, width=1).astype(int)
        array([[1, 1, 1, 1, 1],
               [1, 0, 0, 0, 1],
               [1, 0, 0, 0, 1],
               [1, 0, 0, 0, 1],
               [1, 1, 1, 1, 1]])
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    # All regions at once: a pixel is not at a contour if the lowest and the highest label around it
    # equal its own. Outside the image is the number 0, which no label has.
    numbers = labels.astype(np.uint16) + 1
    lowest, highest = (
        reduce(
            cv2.copyMakeBorder(
                np.where(void, neutral, numbers).astype(np.uint16),
                *(1, 1, 1, 1),
                cv2.BORDER_CONSTANT,
                value=0,
            ),
            square,
        )[1:-1, 1:-1]
        for reduce, neutral in ((cv2.erode, 65535), (cv2.dilate, 0))
    )
    return ((lowest != numbers) | (highest != numbers)) & ~void


def boundary_areas(
    truth: np.ndarray,
    prediction: np.ndarray,
    num_classes: int,
    void: int = 255,
    share: float = BOUNDARY_SHARE,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the areas in pixels, by class, of the intersection and the union of the true and the
    predicted boundaries in one image.

    Args:
        truth: (H, W) of class indices, or ``void``.
        prediction: (H, W) of class indices.
    """
    left_out = truth == void
    height, width = truth.shape
    thickness = boundary_width(height, width, share)
    in_truth = boundary_pixels(truth, left_out, thickness)
    in_prediction = boundary_pixels(prediction, left_out, thickness)
    of_truth = np.bincount(truth[in_truth], minlength=num_classes)
    of_prediction = np.bincount(prediction[in_prediction], minlength=num_classes)
    shared = truth[in_truth & in_prediction & (truth == prediction)]
    intersection = np.bincount(shared, minlength=num_classes)
    return intersection, of_truth + of_prediction - intersection
