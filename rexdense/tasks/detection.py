"""Detectors of mmdet: boxes and masks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rexdense.tasks.task import Example, Task
from rexdense.visualization.boxes import Objects, draw_objects
from rexdense.visualization.tiles import beside, fitted, in_rows, titled

__all__ = ['Detection']

LOWEST_SCORE = 0.3
LOWEST_SCORE_ON_A_SHEET = 0.5
PAIRS_IN_A_ROW = 2
TILE_HEIGHT = 300


class Detection(Task):
    """Objects with a box, a class and a score.

    Attributes:
        lowest_score: Of objects that are drawn and described.
    """

    def __init__(
        self, metainfo: Mapping[str, Sequence], lowest_score: float = LOWEST_SCORE
    ) -> None:
        super().__init__(metainfo)
        self.lowest_score = lowest_score

    def draw(self, image: np.ndarray, sample: Any) -> np.ndarray:
        return draw_objects(image, Objects.predicted(sample, self.lowest_score), self.classes)

    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return pairs: annotated left, predicted right."""
        return in_rows([self._pair(example) for example in examples], PAIRS_IN_A_ROW)

    def _pair(self, example: Example) -> np.ndarray:
        # Enlarged before it is drawn on: labels are legible at the height of a tile.
        image = fitted(example.image, TILE_HEIGHT)
        factors = np.divide(image.shape[1::-1], example.image.shape[1::-1])
        tiles = []
        for objects, title in (
            (Objects.annotated(example.info['instances']), 'annotated'),
            (
                Objects.predicted(example.sample, LOWEST_SCORE_ON_A_SHEET),
                f'predicted, score >= {LOWEST_SCORE_ON_A_SHEET}',
            ),
        ):
            scaled = Objects(objects.boxes * np.tile(factors, 2), objects.labels, objects.scores)
            tiles.append(titled(draw_objects(image, scaled, self.classes), title))
        return beside(tiles)

    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        objects = Objects.predicted(sample, self.lowest_score)
        described = [
            dict(
                label=self.classes[label],
                score=round(float(score), 4),
                box=[round(float(value), 2) for value in box],
            )
            for label, score, box in zip(objects.labels, objects.scores, objects.boxes, strict=True)
        ]
        return f'{len(described)} objects', dict(objects=described)
