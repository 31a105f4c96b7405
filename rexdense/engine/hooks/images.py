"""Hooks that check image files before a training, and count those skipped during it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.hooks import Hook

from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.depth.dataset import DepthDataset
from rexdense.datasets.depth.loading import DEPTH_MAP
from rexdense.datasets.images.file_checks import Sample, check_files
from rexdense.datasets.images.folders import unread_sentence
from rexdense.datasets.segmentation.label_maps import LABEL_MAP
from rexdense.datasets.skipping import (
    SkipUnreadable,
    innermost_datasets,
    skipped_images,
    skipped_sentence,
)
from rexdense.errors import DataError
from rexdense.registry import HOOKS


@HOOKS.register_module()
class CheckImages(Hook):
    """Check the headers of all images and their maps before training, so that a fault in the
    validation data does not end a run hours later.

    Training images that cannot be decoded are listed; the data sets of rexdense skip them.

    Raises:
        DataError: an image or a map has an unexpected size, or cannot be decoded and may not be
            skipped; or all images of a class cannot be decoded.
    """

    def before_train(self, runner) -> None:
        """Check the files of the training and the validation data."""
        loaders = {'the training data': runner.train_dataloader}
        if runner.val_loop is not None:
            loaders['the validation data'] = runner.val_dataloader
        for where, loader in loaders.items():
            parts, sentences = [], []
            for dataset in innermost_datasets(loader.dataset):
                if getattr(dataset, 'unread_images', None):
                    runner.logger.warning(f'{where}: {unread_sentence(dataset.unread_images)}')
                damaged: Mapping[int, str] = {}
                samples = _samples(dataset)
                if samples:
                    may_be_damaged = isinstance(dataset, SkipUnreadable) and not dataset.test_mode
                    kind = DEPTH_MAP if isinstance(dataset, DepthDataset) else LABEL_MAP
                    looked = check_files(samples, where, kind, may_be_damaged)
                    sentences += looked.sentences(where)
                    damaged = looked.damaged
                parts.append((dataset, damaged))
            _require_each_class(parts, where)
            for sentence in sentences:
                runner.logger.warning(sentence)


def _require_each_class(parts: Sequence[tuple[Any, Mapping[int, str]]], where: str) -> None:
    """Raise DataError if all images of a class are damaged, because such a class is never
    predicted.

    Args:
        parts: The data sets of the training, each with a message for each damaged image, by its
            index. If one is of another kind, the classes are unknown and not checked.
        where: Name of the images in messages.
    """
    if not all(isinstance(dataset, ClassificationDataset) for dataset, _ in parts):
        return
    left: Counter[int] = Counter()
    lost: dict[int, str] = {}
    names: Sequence[str] = ()
    for dataset, damaged in parts:
        labels = dataset.labels.tolist()
        names = max(names, dataset.metainfo['classes'], key=len)
        left.update(label for place, label in enumerate(labels) if place not in damaged)
        for place in sorted(damaged):
            lost.setdefault(labels[place], damaged[place])
    empty = sorted(lost.keys() - left.keys())
    if empty:
        raise DataError(
            f'{where}: no image of {len(empty)} of the {len(names)} classes can be used, '
            f'{names[empty[0]]!r} among them: {lost[empty[0]]}'
        )


def _samples(dataset: Any) -> list[Sample]:
    """Return the files of a data set of mmengine's form that are single files on a disk."""
    if getattr(dataset, 'backend_args', None) or not hasattr(dataset, 'get_data_info'):
        return []
    samples, reads_labels = [], _reads_label_maps(dataset)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        image = info.get('img_path')
        if isinstance(image, str) and '://' not in image and 'archive' not in info:
            size = (info['height'], info['width']) if 'height' in info else None
            labels = info.get('seg_map_path') if reads_labels else None
            samples.append(Sample(image, size, info.get('depth_map_path') or labels))
    return samples


def _reads_label_maps(dataset: Any) -> bool:
    """Return whether the label maps that a data set names are read. mmdet's data sets also name
    them for pipelines that load only masks."""
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
    loading = [step.with_seg for step in steps if hasattr(step, 'with_seg')]
    return any(loading) or not loading


@HOOKS.register_module()
class ReportSkippedImages(Hook):
    """Log after an epoch how many training images could not be used, if the number has grown."""

    def __init__(self) -> None:
        self._told = 0

    def after_train_epoch(self, runner) -> None:
        """Log the number, if it has grown."""
        skipped = skipped_images(runner.train_dataloader.dataset)
        if skipped > self._told:
            self._told = skipped
            runner.logger.warning(skipped_sentence(skipped))
