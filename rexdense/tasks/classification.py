"""Classifiers: one class per image."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from rexdense.tasks.task import Example, Task
from rexdense.visualization.tiles import fitted, in_rows, legible, padded, titled

MOST_NAMED = 5
TILE = 160
"""Side of a tile in pixels."""
TILES_IN_A_ROW = 6
NARROWEST = 240
FRAME = 4
_RIGHT, _WRONG = (46, 125, 50), (198, 40, 40)


class Classification(Task):
    """The most likely classes of an image, with their scores."""

    overview_size = 48

    def draw(self, image: np.ndarray, sample: Any, as_frame: bool = False) -> np.ndarray:
        """Return the image below its most likely classes and, if it is known, the true class."""
        lines = [f'{name} {score:.3f}' for name, score in self.likeliest(sample)]
        if 'gt_label' in sample:
            lines.insert(0, f'truth: {self.classes[sample.gt_label]}')
        picture = fitted(image, legible(image))
        # The lines of text are as wide as the picture.
        picture = padded(picture, 0, max(NARROWEST - picture.shape[1], 0))
        return titled(picture, *lines)

    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return tiles with the true and the predicted class, in a green frame if they agree and in
        a red frame if not."""
        tiles = []
        for example in examples:
            sample = example.sample
            right = sample.gt_label == sample.pred_label
            tile = _tile(example.image, _RIGHT if right else _WRONG)
            truth = f'truth: {self.classes[sample.gt_label]}'
            tiles.append(titled(tile, truth, self._said(sample)))
        return in_rows(tiles, TILES_IN_A_ROW)

    def draw_overview(self, examples: Sequence[Example]) -> np.ndarray:
        """Return tiles with the predicted class of each image."""
        tiles = [titled(_tile(example.image), self._said(example.sample)) for example in examples]
        return in_rows(tiles, TILES_IN_A_ROW)

    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        """Return the most likely class, and the five most likely with their scores."""
        likeliest = [
            dict(label=name, score=round(score, 4)) for name, score in self.likeliest(sample)
        ]
        return self._said(sample), dict(
            label=likeliest[0]['label'] if likeliest else None, scores=likeliest
        )

    def likeliest(self, sample: Any, most: int = MOST_NAMED) -> list[tuple[str, float]]:
        """Return the most likely classes with their scores, best first."""
        scores = sample.scores.float().cpu().numpy()
        order = [label for label in np.argsort(-scores, kind='stable') if self.shows(label)]
        return [(self.classes[label], float(scores[label])) for label in order[:most]]

    def _said(self, sample: Any) -> str:
        best = self.likeliest(sample, 1)
        return f'{best[0][0]} {best[0][1]:.2f}' if best else 'no class'


def _tile(image: np.ndarray, frame: tuple[int, int, int] | None = None) -> np.ndarray:
    """Return the image fitted into a square of ``TILE`` pixels, in a coloured frame."""
    height, width = image.shape[:2]
    small = fitted(image, max(1, round(TILE * height / max(height, width))))[:TILE, :TILE]
    tile = padded(small, TILE - small.shape[0], TILE - small.shape[1])
    if frame is not None:
        cv2.rectangle(tile, (0, 0), (TILE - 1, TILE - 1), frame, FRAME)
    return tile
