"""Segmentors of mmseg: one class per pixel."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from rexdense.datasets.segmentation.class_list import class_colours
from rexdense.tasks.task import Example, Task
from rexdense.visualization.labels import colour_labels, draw_labels, label_legend
from rexdense.visualization.picture_files import encode_labels
from rexdense.visualization.tiles import above_strip, beside, fitted, in_rows, legible, titled

TILE_HEIGHT = 240
SCALES_IN_A_ROW = 3


class Segmentation(Task):
    """Label maps, in the colours of the data set's palette."""

    data_folder = 'labels'

    def __init__(self, metainfo: Mapping[str, Sequence]) -> None:
        super().__init__(metainfo)
        self.colours = metainfo.get('palette') or class_colours(self.classes)

    def shown_part(self, sample: Any) -> Any:
        sample.pop('seg_logits', None)
        return sample.cpu()

    def draw(self, image: np.ndarray, sample: Any, as_frame: bool = False) -> np.ndarray:
        """Return the image tinted with the truth, if there is one, and with the prediction, side by
        side.

        Below them is the legend of the classes found, or of all classes in a frame of a video.
        """
        maps = [_labels(sample, 'pred_sem_seg')]
        if 'gt_sem_seg' in sample:
            maps.insert(0, _labels(sample, 'gt_sem_seg'))
        pictures = [self._tinted(image, labels) for labels in maps]
        if len(pictures) == 2:
            titles = ('truth', 'predicted')
            pictures = [titled(*pair) for pair in zip(pictures, titles, strict=True)]
        # The height of the legend depends on its length, and frames must have one size.
        found = range(len(self.classes)) if as_frame else _found(maps)
        return self._with_legend(beside(pictures), self._shown(found))

    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return rows of image, truth and prediction above one legend."""
        rows, maps = [], []
        for example in examples:
            tiles = [titled(fitted(example.image, TILE_HEIGHT), 'image')]
            for key, title in (('gt_sem_seg', 'truth'), ('pred_sem_seg', 'predicted')):
                maps.append(_labels(example.sample, key))
                labels = fitted(maps[-1], TILE_HEIGHT, keep_values=True)
                tiles.append(titled(colour_labels(labels, self.colours), title))
            rows.append(beside(tiles))
        return self._with_legend(in_rows(rows), _found(maps))

    def draw_scales(self, image: np.ndarray, samples: Mapping[int, Any]) -> np.ndarray:
        maps = [_labels(sample, 'pred_sem_seg') for sample in samples.values()]
        tiles = [
            titled(self._tinted(image, labels), f'stride {stride}')
            for stride, labels in zip(samples, maps, strict=True)
        ]
        return self._with_legend(in_rows(tiles, SCALES_IN_A_ROW), self._shown(_found(maps)))

    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        """Return the number of classes found, and the share of the pixels of each."""
        labels = _labels(sample, 'pred_sem_seg')
        counts = np.bincount(labels.ravel(), minlength=len(self.classes))
        shares = {
            name: round(int(count) / labels.size, 4)
            for label, (name, count) in enumerate(zip(self.classes, counts, strict=True))
            if count and self.shows(label)
        }
        return f'{len(shares)} classes', dict(shares=shares)

    def labels(self, sample: Any) -> np.ndarray:
        """Return the predicted classes (H, W), uint16."""
        return _labels(sample, 'pred_sem_seg')

    def encode(self, sample: Any) -> bytes:
        """Return a PNG whose pixel values are class indices; see ``encode_labels``."""
        return encode_labels(_labels(sample, 'pred_sem_seg'), self.colours)

    def _tinted(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        height = legible(image)
        shown = None if self.shown_classes is None else self._shown(range(len(self.classes)))
        return draw_labels(
            fitted(image, height),
            fitted(labels, height, keep_values=True),
            self.colours,
            self.opacity,
            shown,
        )

    def _shown(self, labels: Collection[int]) -> Collection[int]:
        """Return the labels that are drawn. Void is no class, and is drawn only if all classes
        are."""
        if self.shown_classes is None:
            return labels
        return [label for label in labels if label < len(self.classes) and self.shows(label)]

    def _with_legend(self, picture: np.ndarray, found: Collection[int]) -> np.ndarray:
        return above_strip(
            picture, lambda width: label_legend(found, self.classes, self.colours, width)
        )


def _found(maps: Sequence[np.ndarray]) -> set[int]:
    return {int(label) for labels in maps for label in np.unique(labels)}


def _labels(sample: Any, key: str) -> np.ndarray:
    """Return a label map of a data sample as (H, W), uint16. With one output channel, the map is 0
    or 1 in floating point."""
    return sample.get(key).data.squeeze(0).cpu().numpy().astype(np.uint16)
