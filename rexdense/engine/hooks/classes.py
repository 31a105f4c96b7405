"""Hook that checks that the model, the training and the validation data have the same classes."""

from collections.abc import Iterator, Sequence

from mmengine.config import ConfigDict
from mmengine.hooks import Hook

from rexdense.checkpoint.details import taught_classes
from rexdense.datasets.segmentation.dataset import SegmentationDataset
from rexdense.datasets.segmentation.label_counts import require_two_classes_of_some
from rexdense.datasets.segmentation.label_maps import VOID
from rexdense.datasets.skipping import innermost_datasets
from rexdense.engine.config.load import class_heads, walk
from rexdense.errors import InvalidArgument, some_of
from rexdense.registry import HOOKS


@HOOKS.register_module()
class CheckClasses(Hook):
    """Check classes before training.

    The model, the validation data and a resumed run must have the classes of the training data, and
    the model and the validation data its void label. Label maps must have pixels of two classes.

    Raises:
        InvalidArgument: the number, names or order of classes differ, or the void labels differ.
        DataError: all labelled pixels have one class.
    """

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the classes of a resumed run with those on which it was trained."""
        if runner._resume:
            require_same_classes(
                _classes(runner.train_dataloader),
                taught_classes(checkpoint, runner._load_from or 'the checkpoint'),
                'the training data',
                'the run that is to be resumed',
            )

    def before_train(self, runner) -> None:
        """Compare the classes; data sets without classes are not checked."""
        classes = _classes(runner.train_dataloader)
        if classes is None:
            return
        for section, key, stated in _stated_classes(runner.cfg.model):
            if stated != len(classes):
                raise InvalidArgument(
                    f'{section.get("type")} of the model has {key}={stated}, the training data '
                    f'{len(classes)} classes ({some_of(classes, 12)}): set {key} in the config, '
                    'or name the folder with --data-root, which sets it'
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


def _stated_classes(model: ConfigDict) -> Iterator[tuple[ConfigDict, str, int]]:
    """Yield the sections of a model that predict classes, with the key of the number of classes,
    and the number."""
    for head in class_heads(model):
        yield head, 'num_classes', head.num_classes
    things, stuff = 'num_things_classes', 'num_stuff_classes'
    for part in walk(model):
        if things in part and stuff in part:
            yield part, f'{things} + {stuff}', part[things] + part[stuff]


def _require_same_void(runner, void: int) -> None:
    """Raise InvalidArgument unless the heads, the padding, the validation data and the metrics have
    the void label of the training data."""
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
    """Raise InvalidArgument if two lists of classes are known and differ in names or order."""
    if found is None or wanted is None or tuple(found) == tuple(wanted):
        return
    raise InvalidArgument(
        f'the classes of {of_found} ({some_of(found, 12)}) are not those of {of_wanted} '
        f'({some_of(wanted, 12)}) in the same order: state them in the config as metainfo='
        'dict(classes=...) of the data set, or name the folder with --data-root'
    )
