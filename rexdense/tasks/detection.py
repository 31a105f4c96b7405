"""Detectors of mmdet: boxes and masks."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from rexdense.datasets.coco.masks import encode_mask
from rexdense.datasets.coco.run_lengths import runs_of_text
from rexdense.tasks.task import Example, Task
from rexdense.visualization.boxes import Objects, draw_objects
from rexdense.visualization.tiles import beside, fitted, in_rows, legible, titled

LOWEST_SCORE = 0.3
LOWEST_SCORE_ON_A_SHEET = 0.5
PAIRS_IN_A_ROW = 2
TILE_HEIGHT = 300
LEGIBLE_SIDE = 480
"""Smallest longer side of a picture in pixels."""
NAME_WIDTH, MOST_ENLARGED_SIDE = 80, 1600
"""Approximate width of a name, and largest longer side of an enlarged picture, in pixels. A picture
is enlarged until half of the objects are as wide as a name."""


class Detection(Task):
    """Objects with a box, a class and a score.

    Attributes:
        lowest_score: Lowest score of the objects that are drawn and described.
        one_per_object: Whether only the best of several boxes with different classes around one
            object is drawn and described.
    """

    def __init__(
        self,
        metainfo: Mapping[str, Sequence],
        lowest_score: float = LOWEST_SCORE,
        one_per_object: bool = False,
    ) -> None:
        super().__init__(metainfo)
        self.lowest_score = lowest_score
        self.one_per_object = one_per_object

    def objects(self, sample: Any) -> Objects:
        """Return the objects of a prediction that are drawn and described."""
        found = Objects.predicted(sample, self.lowest_score)
        if self.shown_classes is not None:
            found = found.chosen([self.shows(label) for label in found.labels])
        return found.one_per_object() if self.one_per_object else found

    def shown_part(self, sample: Any) -> Any:
        instances = sample.pred_instances
        sample.pred_instances = instances[instances.scores >= self.lowest_score]
        return sample.cpu()

    def draw(self, image: np.ndarray, sample: Any, as_frame: bool = False) -> np.ndarray:
        """Return the image with the predicted objects, enlarged if names would hide them."""
        return self.draw_found(image, self.objects(sample), as_frame)

    def draw_found(self, image: np.ndarray, objects: Objects, as_frame: bool = False) -> np.ndarray:
        """Return the image with the given objects, enlarged if names would hide them."""
        larger = fitted(image, _drawn_height(image, None if as_frame else objects))
        objects = objects.resized(image.shape[:2], larger.shape[:2])
        return draw_objects(larger, objects, self.classes, opacity=self.opacity)

    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return pairs of pictures, annotations left and predictions right, with masks if the model
        predicts them."""
        return in_rows([self._pair(example) for example in examples], PAIRS_IN_A_ROW)

    def _pair(self, example: Example) -> np.ndarray:
        # Enlarged before drawing, so that labels are legible at the height of a tile.
        image = fitted(example.image, TILE_HEIGHT)
        before, after = example.image.shape[:2], image.shape[:2]
        with_masks = 'masks' in example.sample.pred_instances
        tiles = []
        for objects, title in (
            (
                Objects.annotated(example.info['instances'], before if with_masks else None),
                'annotated',
            ),
            (
                Objects.predicted(example.sample, LOWEST_SCORE_ON_A_SHEET),
                f'predicted, score >= {LOWEST_SCORE_ON_A_SHEET}',
            ),
        ):
            drawn = draw_objects(image, objects.resized(before, after), self.classes)
            tiles.append(titled(drawn, title))
        return beside(tiles)

    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        """Return the number of objects, and a dict of the image size and the objects with class,
        score, box (x1, y1, x2, y2) and, if there are masks, COCO's run lengths."""
        objects = self.objects(sample)
        described = [
            dict(
                label=self.classes[label],
                score=round(float(score), 4),
                box=[round(float(value), 2) for value in box],
            )
            for label, score, box in zip(objects.labels, objects.scores, objects.boxes, strict=True)
        ]
        if objects.masks is not None:
            for entry, mask in zip(described, objects.masks, strict=True):
                entry['segmentation'] = encode_mask(mask)
        height, width = sample.ori_shape
        return f'{len(described)} objects', dict(height=height, width=width, objects=described)

    def document(self, images: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return a JSON document that is also a COCO file. Its annotations also have a score, and
        its images a short list of the objects."""
        categories = [dict(id=number, name=name) for name, number in self._category_ids().items()]
        numbered, annotations = [], []
        for number, image in enumerate(images, start=1):
            annotations += self.annotations(image['objects'], number, len(annotations) + 1)
            name = PurePath(image['image']).name
            short = [
                {key: value for key, value in entry.items() if key != 'segmentation'}
                for entry in image['objects']
            ]
            numbered.append({'id': number, 'file_name': name, **image, 'objects': short})
        return dict(self.header(), images=numbered, categories=categories, annotations=annotations)

    def annotations(
        self, objects: Sequence[Mapping[str, Any]], image_id: int, first_id: int = 1
    ) -> list[dict[str, Any]]:
        """Return the objects of an image as COCO annotations with scores; the category id is the
        label plus 1.

        Args:
            objects: Objects from :meth:`describe`.
            first_id: Id of the first annotation.
        """
        category_ids = self._category_ids()
        return [
            dict(
                id=number,
                image_id=image_id,
                category_id=category_ids[entry['label']],
                **_extent(entry),
            )
            for number, entry in enumerate(objects, start=first_id)
        ]

    def _category_ids(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.classes, start=1)}


def _drawn_height(image: np.ndarray, objects: Objects | None) -> int:
    """Return a multiple of the image's height at which names do not hide its objects.

    Args:
        objects: None if the height must not depend on them.
    """
    height, longest = legible(image, LEGIBLE_SIDE), max(image.shape[:2])
    if objects is None or not len(objects.boxes):
        return height
    width = float(np.median(objects.boxes[:, 2] - objects.boxes[:, 0]))
    wanted = NAME_WIDTH / max(width, 1)
    factor = min(int(np.ceil(wanted)), MOST_ENLARGED_SIDE // longest)
    return max(height, image.shape[0] * factor)


def _extent(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the extent of an object in COCO's form, with ``bbox`` as left, top, width, height."""
    left, top, right, bottom = entry['box']
    box = [left, top, round(right - left, 2), round(bottom - top, 2)]
    found = dict(bbox=box, area=round(box[2] * box[3], 2), iscrowd=0, score=entry['score'])
    if 'segmentation' in entry:
        runs = runs_of_text(entry['segmentation']['counts'])
        found |= dict(segmentation=entry['segmentation'], area=sum(runs[1::2]))
    return found
