"""Hooks of mmengine's runner that guard a training."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from rexdense.checkpoint.details import taught_classes
from rexdense.datasets.depth.dataset import DepthDataset
from rexdense.datasets.depth.loading import DEPTH_MAP
from rexdense.datasets.images.file_checks import Sample, check_files
from rexdense.datasets.images.folders import unread_sentence
from rexdense.datasets.segmentation.dataset import SegmentationDataset
from rexdense.datasets.segmentation.label_counts import require_two_classes_of_some
from rexdense.datasets.segmentation.label_maps import LABEL_MAP, VOID
from rexdense.datasets.skipping import SkipUnreadable
from rexdense.device import bare_model
from rexdense.engine.config.load import class_heads, walk
from rexdense.engine.work_dir import remove_earlier_runs
from rexdense.errors import InvalidArgument, NonFiniteLoss
from rexdense.registry import HOOKS

__all__ = [
    'CheckClasses',
    'CheckImages',
    'RemoveEarlierRuns',
    'ReportSkippedImages',
    'StopOnNonFiniteLoss',
]

MOST_IMAGES_NAMED = 8
MOST_TENSORS_NAMED = 3


@HOOKS.register_module()
class StopOnNonFiniteLoss(Hook):
    """End the run at the first loss that is NaN or infinite, before anything is saved from it.

    The weights are looked at too before they are validated or saved: gradients can spoil them in
    the step after a loss that was still finite.

    Raises:
        NonFiniteLoss: names the iteration, the loss terms or tensors at fault and the images of the
            batch.
    """

    # Before the hooks that average weights, log or save.
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._place, self._images = '', 'unknown'

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the losses of the iteration, and the weights before they are validated."""
        self._place = f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}'
        self._images = _image_names(data_batch)
        # mmengine's RuntimeInfoHook, which comes first, has fetched it: the device need not be
        # waited for again.
        loss = runner.message_hub.get_scalar('train/loss').current()
        if not math.isfinite(loss):
            terms = [
                name for name, value in outputs.items() if name != 'loss' and not _is_finite(value)
            ]
            self._stop(runner, f'the loss became {loss}', terms or ['total'])
        if self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner):
            self._check_weights(runner, bare_model(runner.model).state_dict())

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check the weights that are to be saved."""
        self._check_weights(runner, checkpoint['state_dict'])

    def _check_weights(self, runner, state: dict[str, Any]) -> None:
        spoilt = [name for name, tensor in state.items() if not _is_finite(tensor)]
        if spoilt:
            self._stop(runner, f'{len(spoilt)} tensors became non-finite', spoilt)

    def _stop(self, runner, what: str, names: Sequence[str]) -> None:
        named = ', '.join(names[:MOST_TENSORS_NAMED])
        named += ', ...' if len(names) > MOST_TENSORS_NAMED else ''
        raise NonFiniteLoss(
            f'{what} at {self._place} ({named}); images: {self._images}. Checkpoints saved before '
            f'stay in {runner.work_dir}. Lower the learning rate (--lr), clip gradients, or look '
            'at these images'
        )


def _is_finite(value: Any) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(bool(torch.isfinite(torch.as_tensor(item)).all()) for item in values)


def _image_names(data_batch: dict | None) -> str:
    samples: Sequence = (data_batch or {}).get('data_samples') or ()
    names = [
        sample.metainfo.get('img_path', '?') for sample in samples if hasattr(sample, 'metainfo')
    ]
    shown = ', '.join(str(name) for name in names[:MOST_IMAGES_NAMED])
    return (
        f'{shown} and {len(names) - MOST_IMAGES_NAMED} more'
        if len(names) > MOST_IMAGES_NAMED
        else shown or 'unknown'
    )


@HOOKS.register_module()
class CheckClasses(Hook):
    """Check before training that the model and the validation data have the classes and the void
    label of the training data, that a resumed run has had them too, and that label maps have pixels
    of two classes.

    Raises:
        InvalidArgument: another number of classes, other classes or another order of them, or
            another void label.
        DataError: all labelled pixels are of one class.
    """

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the classes of a run that goes on with those it was taught."""
        if runner._resume:
            require_same_classes(
                _classes(runner.train_dataloader),
                taught_classes(checkpoint, runner._load_from or 'the checkpoint'),
                'the training data',
                'the run that is to be resumed',
            )

    def before_train(self, runner) -> None:
        """Compare the classes; data sets without classes are left alone."""
        classes = _classes(runner.train_dataloader)
        if classes is None:
            return
        for section in class_heads(runner.cfg.model):
            stated = section.num_classes
            if stated != len(classes):
                raise InvalidArgument(
                    f'{section.get("type")} of the model has num_classes={stated}, the training '
                    f'data {len(classes)} classes ({", ".join(classes[:12])}): set num_classes in '
                    'the config, or name the folder with --data-root, which sets it'
                )
        if runner.val_loop is not None:
            require_same_classes(
                _classes(runner.val_dataloader), classes, 'the validation data', 'the training data'
            )
        for dataset in innermost_datasets(runner.train_dataloader.dataset):
            if isinstance(dataset, SegmentationDataset):
                _require_same_void(runner, dataset.ignore_index)
                paths = [dataset.get_data_info(i)['seg_map_path'] for i in range(len(dataset))]
                where = 'the training data'
                require_two_classes_of_some(paths, classes, where, dataset.ignore_index)


def _require_same_void(runner, void: int) -> None:
    """Check that the heads, the padding, the validation data and the metrics know the void label of
    the training data.

    Raises:
        InvalidArgument: they do not.
    """
    model = runner.cfg.model
    stated = {
        f'model.{name}.ignore_index': head.get('ignore_index', VOID)
        for name in ('decode_head', 'auxiliary_head')
        for head in walk(model.get(name))
        if 'num_classes' in head
    }
    if 'data_preprocessor' in model and 'seg_pad_val' in model.data_preprocessor:
        stated['model.data_preprocessor.seg_pad_val'] = model.data_preprocessor.seg_pad_val
    if runner.val_loop is not None:
        data = runner.val_dataloader.dataset
        stated['val_dataloader.dataset.ignore_index'] = getattr(data, 'ignore_index', void)
        for metric in runner.val_evaluator.metrics:
            stated['val_evaluator.ignore_index'] = getattr(metric, 'ignore_index', void)
    others = [name for name, label in stated.items() if label != void]
    if others:
        raise InvalidArgument(
            f'void is {void} in the training data, but {others[0]}={stated[others[0]]}: set '
            f'--cfg-options {" ".join(f"{name}={void}" for name in others)}'
        )


def _classes(dataloader) -> tuple[str, ...] | None:
    classes = getattr(dataloader.dataset, 'metainfo', {}).get('classes')
    return None if classes is None else tuple(classes)


def require_same_classes(
    found: Sequence[str] | None, wanted: Sequence[str] | None, of_found: str, of_wanted: str
) -> None:
    """Check that two lists of classes, where both are known, are the same in the same order.

    Raises:
        InvalidArgument: they are not.
    """
    if found is None or wanted is None or tuple(found) == tuple(wanted):
        return
    raise InvalidArgument(
        f'the classes of {of_found} ({", ".join(found[:12])}) are not those of {of_wanted} '
        f'({", ".join(wanted[:12])}) in the same order: state them in the config as metainfo='
        'dict(classes=...) of the data set, or name the folder with --data-root'
    )


@HOOKS.register_module()
class CheckImages(Hook):
    """Look before training at the headers of all images and their maps, so that a fault in the
    validation data does not end a run hours later.

    Training images that cannot be decoded are named; the data sets of rexdense skip them.

    Raises:
        DataError: an image or a map has another size than it should, or cannot be decoded where
            that is no welcome surprise.
    """

    def before_train(self, runner) -> None:
        """Look at the files of the training and the validation data."""
        loaders = {'the training data': runner.train_dataloader}
        if runner.val_loop is not None:
            loaders['the validation data'] = runner.val_dataloader
        for where, loader in loaders.items():
            for dataset in innermost_datasets(loader.dataset):
                if getattr(dataset, 'unread_images', None):
                    runner.logger.warning(f'{where}: {unread_sentence(dataset.unread_images)}')
                samples = _samples(dataset)
                if samples:
                    may_be_damaged = isinstance(dataset, SkipUnreadable) and not dataset.test_mode
                    kind = DEPTH_MAP if isinstance(dataset, DepthDataset) else LABEL_MAP
                    looked = check_files(samples, where, kind, may_be_damaged)
                    for sentence in looked.sentences(where):
                        runner.logger.warning(sentence)


def _samples(dataset: Any) -> list[Sample]:
    """Return the files of a data set, of mmengine's kind, that lie on a disk, each by itself."""
    if getattr(dataset, 'backend_args', None) or not hasattr(dataset, 'get_data_info'):
        return []
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        image = info.get('img_path')
        if isinstance(image, str) and '://' not in image and 'archive' not in info:
            size = (info['height'], info['width']) if 'height' in info else None
            belonging = info.get('depth_map_path') or info.get('seg_map_path')
            samples.append(Sample(image, size, belonging))
    return samples


@HOOKS.register_module()
class ReportSkippedImages(Hook):
    """Log after each epoch in which it has grown how many training images could not be used."""

    def __init__(self) -> None:
        self._told = 0

    def after_train_epoch(self, runner) -> None:
        """Log the number, if it has grown."""
        skipped = skipped_images(runner.train_dataloader.dataset)
        if skipped > self._told:
            self._told = skipped
            runner.logger.warning(skipped_sentence(skipped))


def skipped_sentence(number: int) -> str:
    """Return the message about training images that could not be used."""
    return (
        f'{number} training {"image" if number == 1 else "images"} could not be used and '
        f'{"was" if number == 1 else "were"} skipped; the log names them'
    )


def skipped_images(dataset: Any) -> int:
    """Count the images that the data sets below the wrappers of ``dataset`` have skipped."""
    return sum(getattr(part, 'skipped_images', 0) for part in innermost_datasets(dataset))


def innermost_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the data sets below the wrappers of ``dataset``."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for part in inner:
        if part is None:
            yield dataset
        else:
            yield from innermost_datasets(part)


@HOOKS.register_module()
class RemoveEarlierRuns(Hook):
    """Delete what earlier runs left in the work directory, once all is built and training begins,
    so that a mistake in the config costs nothing."""

    def before_train(self, runner) -> None:
        """Delete it."""
        if is_main_process():
            remove_earlier_runs(runner.work_dir, runner.timestamp)
