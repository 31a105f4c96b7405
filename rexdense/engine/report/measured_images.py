"""Predictions for the validation images of a run: metrics, and the best and worst images."""

import bisect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.evaluator import Evaluator

from rexdense.engine.config.stored.classes import DATASET, METRIC, TRUTH
from rexdense.engine.config.stored.config import StoredConfig, read_stored_config
from rexdense.engine.report.metric_files import metric_files
from rexdense.engine.report.run_record import RunRecord
from rexdense.engine.trained.model import load_trained_model
from rexdense.errors import DataError
from rexdense.registry import DATASETS, METRICS
from rexdense.tasks import Example, Task, task_of
from rexdense.tasks.detection import LOWEST_SCORE
from rexdense.tasks.image_quality import Quality, quality_of
from rexdense.visualization.picture_files import encode_picture, read_picture

SHOWN = 6
"""Number of best images, and of worst images, that are shown."""
WIDEST = 20
"""Largest ratio of width to height of an image that is drawn."""
JPEG = '.jpg'


class ShownImage(NamedTuple):
    """An image with the truth beside the prediction.

    Attributes:
        name: Name of its file.
        value: Its value of :attr:`MeasuredImages.quality`.
        picture: A JPEG.
    """

    name: str
    value: float
    picture: bytes


class MeasuredImages(NamedTuple):
    """The evaluated predictions of a checkpoint for validation images.

    Attributes:
        checkpoint: The checkpoint.
        images: Number of predicted images, spread evenly over the set.
        of_all: Number of images in the set.
        parameters: Number of parameters of the model.
        quality: Name of the measure that ranks the images.
        best, worst: The best, or worst, image first.
        metrics: Metrics of these images by name.
        files: Files that explain the metrics, by the names that ``rexdense test`` writes.
    """

    checkpoint: Path
    images: int
    of_all: int
    parameters: int
    quality: str
    best: list[ShownImage]
    worst: list[ShownImage]
    metrics: dict[str, float]
    files: dict[str, bytes]

    @property
    def said(self) -> str:
        """Return the sentence about the images and the model that predicted them."""
        of = f'{self.images} of the {self.of_all}'
        if self.images == self.of_all:
            of = f'all {self.images}'
        return f'Predicted by {self.checkpoint.name} for {of} validation images.'


def measure_images(
    record: RunRecord,
    most: int,
    device: str,
    on_image: Callable[[], object],
    trust_config: bool = False,
) -> MeasuredImages:
    """Predict validation images with the best checkpoint of a run.

    The config of the run is read as data. Only rexdense's own kinds of its model, validation data
    and metrics are built, see :class:`rexdense.engine.config.stored.config.StoredConfig`.

    Args:
        most: Largest number of images.
        on_image: Called after each image.
        trust_config: Build everything that the config names, which can run any code.

    Raises:
        RexdenseError: there is no checkpoint, the data have moved, or the config names anything
            that may not be built.
    """
    if record.checkpoint is None:
        raise DataError(f'{record.folder} holds no whole checkpoint')
    dataset, metrics = _validation_of(record, trust_config)
    trained = load_trained_model(record.checkpoint, device, trust_config, optimized=True)
    task = task_of(trained.config.model, dataset.metainfo)
    if task is None:
        raise DataError(f'{record.folder} trained a {trained.config.model.type}, nothing to draw')
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = dataset.metainfo
    ranked = _Ranked(task, quality_of(task))
    places = np.linspace(0, len(dataset) - 1, min(most, len(dataset))).astype(int).tolist()
    for place in places:
        batch = _batch_of_one(dataset[place], record.folder)
        with torch.no_grad():
            (sample,) = trained.model.test_step(batch)
        evaluator.process([sample], batch)
        ranked.add(sample.cpu(), dataset.get_data_info(place))
        on_image()
    parameters = sum(each.numel() for each in trained.model.parameters())
    values = evaluator.evaluate(len(places))
    return MeasuredImages(
        record.checkpoint,
        len(places),
        len(dataset),
        parameters,
        ranked.quality.name,
        *ranked.drawn(),
        {name: float(value) for name, value in values.items()},
        {name: content for each in metrics for name, content in metric_files(each).items()},
    )


def _validation_of(record: RunRecord, trust_config: bool) -> tuple[Any, list[Any]]:
    """Return the validation data of a run, and its metrics."""
    source = str(record.folder)
    stored = StoredConfig(read_stored_config(record.config_text, source), source, trust_config)
    dataset, metrics = stored.validation()
    for each in metrics:
        if each.type == 'rexdense.CocoMetric':
            # Errors are counted as by rexdense test.
            each.update(analysis=LOWEST_SCORE, show_table=False)
    with stored.building(DATASET, METRIC, TRUTH):
        return DATASETS.build(dataset), [METRICS.build(each) for each in metrics]


def _batch_of_one(packed: Any, folder: Path) -> dict[str, list[Any]]:
    if not isinstance(packed, dict) or not {'inputs', 'data_samples'} <= packed.keys():
        raise DataError(
            f'{folder}: the pipeline of its validation data does not end with packing the inputs'
        )
    return dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])


class _Ranked:
    """Collector of the best and the worst examples; it keeps no others."""

    def __init__(self, task: Task, quality: Quality) -> None:
        self.task, self.quality = task, quality
        self._sorted: list[tuple[float, int, float, Any, dict]] = []
        self._given = 0

    def add(self, sample: Any, info: dict) -> None:
        """Add one image."""
        height, width = sample.ori_shape[:2]
        value = self.quality.measure(Example(np.empty((0, 0, 3), np.uint8), sample, info))
        if np.isnan(value) or width > WIDEST * height:
            return
        self._given += 1
        # The number breaks ties, so that samples are never compared.
        entry = self.quality.order(value), self._given, value, self.task.shown_part(sample), info
        bisect.insort(self._sorted, entry)
        if len(self._sorted) > 2 * SHOWN:
            del self._sorted[SHOWN]

    def drawn(self) -> tuple[list[ShownImage], list[ShownImage]]:
        """Return the best and the worst images; no image is in both."""
        half = min(SHOWN, -(-len(self._sorted) // 2))
        worst, best = self._sorted[:half], self._sorted[half:]
        return [self._shown(*each[2:]) for each in reversed(best)], [
            self._shown(*each[2:]) for each in worst
        ]

    def _shown(self, value: float, sample: Any, info: dict) -> ShownImage:
        image = read_picture(sample.img_path, sample.ori_shape)
        picture = self.task.draw_sheet([Example(image, sample, info)])
        return ShownImage(Path(sample.img_path).name, value, encode_picture(picture, JPEG))
