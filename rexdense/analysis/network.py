"""A network for analysis with its weights, and images as its input."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from rexdense.checkpoint.loading import load_weights
from rexdense.checkpoint.preprocessing import IMAGENET_RGB, Preprocessing
from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import CheckpointMismatch, DataError
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.classifier import Classifier
from rexdense.models.creation import create_classifier

HEAD = 'head.'
SEED = 0


def load_network(
    name: str, weights: str | Path | None = None, out_indices: Sequence[int] = (4,)
) -> tuple[Classifier | Backbone, Preprocessing]:
    """Return a named network in evaluation mode and the preprocessing of its images. It is a
    classifier, or a backbone if the weights have no head, such as those of detectors and
    segmentors.

    Args:
        name: A name from :func:`rexdense.list_backbones`.
        weights: Weights for :func:`rexdense.load_weights`, with any number of classes; None gives
            random weights from a fixed seed.
        out_indices: The levels that the backbone returns, c5 last.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        classifier = create_classifier(name, out_indices=out_indices)
    if weights is None:
        return classifier.eval(), IMAGENET_RGB
    report = load_weights(classifier, weights, strict=False)
    held = [*report.loaded, *(key for key, _, _ in report.reshaped)]
    if not any(key.startswith(HEAD) for key in held):
        report = load_weights(classifier.backbone, weights)
        return classifier.backbone.eval(), report.preprocessing or IMAGENET_RGB
    classes = [shape[0] for key, shape, _ in report.reshaped if key == f'{HEAD}fc.weight']
    if classes:
        classifier.reset_classifier(classes[0])
    if not report.complete:
        report = load_weights(classifier, weights)
    return classifier.eval(), report.preprocessing or IMAGENET_RGB


def load_classifier(
    name: str, weights: str | Path | None = None
) -> tuple[Classifier, Preprocessing]:
    """Return a named classifier in evaluation mode and the preprocessing of its images. Raise
    CheckpointMismatch if the weights have no head.

    Args:
        name, weights: As for :func:`load_network`.
    """
    network, preprocessing = load_network(name, weights)
    if not isinstance(network, Classifier):
        raise CheckpointMismatch(
            f'{weights} holds no classification head, and so no classes: give the checkpoint of a '
            'classifier'
        )
    return network, preprocessing


def read_image(path: str | Path) -> np.ndarray:
    """Return an image file as RGB (H, W, 3), uint8, read as in pipelines, without the brightening
    of pictures. Raise UnreadableImage if it cannot be decoded."""
    return LoadImage()(dict(img_path=str(path)))['img'][..., ::-1]


def resized(image: np.ndarray, size: int, square: bool = False) -> np.ndarray:
    """Return a resized image (H, W, 3), uint8.

    Args:
        size: Length of the shorter side in pixels.
        square: Cut out the central square.
    """
    height, width = image.shape[:2]
    factor = size / min(height, width)
    height, width = max(size, round(height * factor)), max(size, round(width * factor))
    smaller = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    image = cv2.resize(image, (width, height), interpolation=smaller)
    if square:
        top, left = (height - size) // 2, (width - size) // 2
        image = image[top : top + size, left : left + size]
    return image


def network_input(images: Sequence[np.ndarray], preprocessing: Preprocessing) -> Tensor:
    """Return RGB images (H, W, 3), uint8, of equal size as a normalised batch (N, 3, H, W)."""
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    if preprocessing.channel_order == 'BGR':
        batch = batch.flip(1)
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return (batch - mean) / std


def image_batches(
    paths: Sequence[Path], preprocessing: Preprocessing, size: int, batch_size: int = 16
) -> Iterator[Tensor]:
    """Yield the central squares of image files as normalised batches. Raise DataError if there is
    no image, or UnreadableImage if one cannot be decoded."""
    if not paths:
        raise DataError('no images to look at')
    for start in range(0, len(paths), batch_size):
        images = [
            resized(read_image(path), size, square=True)
            for path in paths[start : start + batch_size]
        ]
        yield network_input(images, preprocessing)
