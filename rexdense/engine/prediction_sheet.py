"""A sheet of validation images: what the model predicts beside what the annotations say."""

from pathlib import Path

import cv2
import numpy as np
import torch

from rexdense.device import bare_model
from rexdense.engine.drawing import Objects, draw_objects, read_picture, write_picture

__all__ = ['draw_prediction_sheet']

PAIRS = 6
PAIRS_IN_A_ROW = 2
TILE_HEIGHT = 300
MARGIN = 8
TITLE_HEIGHT = 26
LOWEST_SCORE = 0.5


def draw_prediction_sheet(runner, path: str | Path) -> Path | None:
    """Draw validation images from all over the set: truth left, the trained model's prediction
    right.

    Returns:
        The picture's path; None when the runner has no validation set or its model is no detector.
    """
    model = bare_model(runner.model)
    is_detector = hasattr(model, 'bbox_head') or hasattr(model, 'roi_head')
    if runner.val_loop is None or not is_detector:
        return None
    dataset = runner.val_dataloader.dataset
    classes = dataset.metainfo['classes']
    model.eval()
    pairs = []
    for index in np.linspace(0, len(dataset) - 1, min(PAIRS, len(dataset))).astype(int).tolist():
        sample = dataset[index]
        with torch.no_grad():
            result = model.test_step(
                dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
            )[0]
        image = _enlarged(read_picture(result.img_path, result.ori_shape))
        truth = Objects.annotated(dataset.get_data_info(index)['instances'])
        prediction = Objects.predicted(result, LOWEST_SCORE)
        pairs.append(
            np.hstack(
                [
                    _tile(image, truth, classes, 'annotated'),
                    _tile(image, prediction, classes, f'predicted, score >= {LOWEST_SCORE}'),
                ]
            )
        )
    return write_picture(path, _sheet(pairs))


def _enlarged(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the image at the height of a tile, where labels are legible, and the factor."""
    factor = TILE_HEIGHT / image.shape[0]
    width = round(image.shape[1] * factor)
    return cv2.resize(
        image, (width, TILE_HEIGHT), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    ), factor


def _tile(image: tuple[np.ndarray, float], objects: Objects, classes, title: str) -> np.ndarray:
    pixels, factor = image
    drawn = draw_objects(
        pixels, Objects(objects.boxes * factor, objects.labels, objects.scores), classes
    )
    bar = np.full((TITLE_HEIGHT, drawn.shape[1], 3), 255, np.uint8)
    cv2.putText(
        bar,
        title,
        (4, TITLE_HEIGHT - 8),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.5,
        (40, 40, 40),
        1,
        cv2.LINE_AA,
    )
    return cv2.copyMakeBorder(
        np.vstack([bar, drawn]), 0, MARGIN, 0, MARGIN, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )


def _sheet(pairs: list[np.ndarray]) -> np.ndarray:
    """Return the pairs in rows, on white."""
    widest = max(pair.shape[1] for pair in pairs)
    pairs = [
        cv2.copyMakeBorder(
            pair, 0, 0, 0, widest - pair.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255)
        )
        for pair in pairs
    ]
    if len(pairs) % PAIRS_IN_A_ROW and len(pairs) > 1:
        pairs.append(np.full_like(pairs[0], 255))
    rows = [
        np.hstack(pairs[start : start + PAIRS_IN_A_ROW])
        for start in range(0, len(pairs), PAIRS_IN_A_ROW)
    ]
    return np.vstack(rows)
