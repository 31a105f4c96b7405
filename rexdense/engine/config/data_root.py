"""Changes to a config by --data-root: the folder is checked, and all loaders read it."""

import argparse
from collections.abc import Callable, Sequence

from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process

from rexdense.datasets.coco import folder as coco_folder
from rexdense.datasets.coco.folder import CocoFolder
from rexdense.datasets.depth.loading import DEPTH_MAP
from rexdense.datasets.depth.pairs import find_depth_pairs
from rexdense.datasets.images.file_checks import Sample, check_files
from rexdense.datasets.segmentation import folder as segmentation_folder
from rexdense.datasets.segmentation.folder import SegmentationFolder
from rexdense.datasets.segmentation.label_maps import VOID
from rexdense.datasets.text_files import CLASS_FILE
from rexdense.engine.config.image_folder import CLASSIFICATION, use_image_folder
from rexdense.engine.config.load import dataloader_names, innermost_dataset, set_num_classes, walk
from rexdense.errors import InvalidArgument, some_of
from rexdense.text_table import text_table

COCO, SEGMENTATION = 'rexdense.CocoDataset', 'rexdense.SegmentationDataset'
DEPTH = 'rexdense.DepthDataset'
TRAINING, VALIDATION = 'train', 'val'
"""Names of the splits in folders of classes, label maps or depth maps."""

_COCO_OPTIONS = ('images', 'train_annotations', 'val_annotations', 'classes')


def use_data_root(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None = None,
    split: str = VALIDATION,
) -> None:
    """Make all data loaders and evaluators read the folder, and give the model its classes.

    Without ``--data-root`` the config is unchanged.

    Args:
        training: Also check the training split, and take the classes from it.
        classes: Names in the order of the model's labels, if they are already known: those of the
            checkpoint that is evaluated or resumed.
        split: The split to evaluate.

    Raises:
        InvalidArgument: the config's data sets cannot read such a folder, an option does not apply
            to it, or a resumed run was trained on other classes.
        DataError: the folder cannot be used.
    """
    if options.data_root is None:
        given = [*_given(options), *(['--split'] if split != VALIDATION else [])]
        if given:
            raise InvalidArgument(f'{given[0]} goes with --data-root; give the folder, too')
        return
    kinds = {str(innermost_dataset(config[name]).get('type')) for name in dataloader_names(config)}
    if len(kinds) != 1 or not kinds <= set(_READERS):
        raise InvalidArgument(
            f'--data-root: this config reads {" and ".join(sorted(kinds))}; it goes with configs '
            f'whose data sets are all {" or all ".join(_READERS)}'
        )
    _READERS[kinds.pop()](config, options, training, classes, split)


def state_classes(config: Config, classes: Sequence[str]) -> None:
    """Set the label order in data sets that would take it from their annotation file, or from the
    folders of the training images."""
    for name in dataloader_names(config):
        dataset = innermost_dataset(config[name])
        if dataset.get('type') in (COCO, *CLASSIFICATION) and 'classes' not in (
            dataset.get('metainfo') or {}
        ):
            dataset.metainfo = dict(classes=tuple(classes))


def _require_same_names(found: Sequence[str], taught: Sequence[str], where: str) -> None:
    """Raise InvalidArgument unless a resumed run finds the classes it was trained on, in any
    order."""
    differing = [*(set(taught) - set(found)), *(set(found) - set(taught))]
    if differing:
        raise InvalidArgument(
            f'--resume: the run was taught the classes {some_of(taught, 12)}, and {where} has '
            f'{some_of(found, 12)}: give the data with these classes, choose them with '
            '--classes, or start a new run in another --work-dir'
        )


def _given(options: argparse.Namespace) -> list[str]:
    """Return the given options for folders in COCO form."""
    return [
        f'--{name.replace("_", "-")}'
        for name in _COCO_OPTIONS
        if getattr(options, name) is not None
    ]


def _use_coco_folder(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None,
    split: str,
) -> None:
    """Read a folder in COCO form."""
    if split != VALIDATION:
        raise InvalidArgument(
            f'--split {split} goes with folders of label maps or depth maps; of a folder in COCO '
            'form, --val-annotations says which file is measured'
        )
    places = dict(
        images=options.images, train=options.train_annotations, val=options.val_annotations
    )
    folder = CocoFolder(
        options.data_root, **{name: place for name, place in places.items() if place is not None}
    )
    need_masks = any(section.get('with_mask') for section in walk(config.get('train_dataloader')))
    if training:
        checked = folder.check(options.classes, need_masks)
        if classes is not None and checked.classes != tuple(classes):
            _require_same_names(checked.classes, classes, str(checked.train.path))
            # The labels have the order of the checkpoint, whatever the order of the file.
            checked = folder.check(classes, need_masks)
        splits = {TRAINING: checked.train, VALIDATION: checked.val}
    else:
        splits = {VALIDATION: folder.read(VALIDATION, options.classes or classes, need_masks)}
    classes = next(iter(splits.values())).classes
    if is_main_process():
        print('\n'.join([coco_folder.summary(splits), *folder.found_places(splits)]))
    for name in dataloader_names(config):
        read = splits.get(TRAINING if name == 'train_dataloader' else VALIDATION)
        if read is not None:
            innermost_dataset(config[name]).update(
                data_root=str(options.data_root),
                ann_file=folder.below(read.path),
                data_prefix=dict(img=folder.below(read.image_folder) + '/'),
                metainfo=dict(classes=classes),
            )
        else:
            # It is not read, but as part of the data it must not be overwritten.
            innermost_dataset(config[name]).data_root = str(options.data_root)
    for name in ('val_evaluator', 'test_evaluator'):
        for evaluator in walk(config.get(name)):
            if 'ann_file' in evaluator:
                evaluator.ann_file = str(splits[VALIDATION].path)
    set_num_classes(config, len(classes))


def _refuse_coco_options(options: argparse.Namespace, instead: str) -> None:
    given = _given(options)
    if given:
        raise InvalidArgument(f'{given[0]} goes with folders in COCO form; {instead}')


def _splits_of_loaders(config: Config, split: str) -> dict[str, str]:
    """Return the split of each data loader."""
    return {
        name: TRAINING if name == 'train_dataloader' else split for name in dataloader_names(config)
    }


def _use_segmentation_folder(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None,
    split: str,
) -> None:
    """Read a folder of images and label maps."""
    _refuse_coco_options(
        options,
        f'images, label maps and classes are those of images/, labels/ and {CLASS_FILE}',
    )
    folder = SegmentationFolder(options.data_root)
    names, palette = folder.classes()
    splits = _splits_of_loaders(config, split)
    checked = {}
    for loader, name in splits.items():
        if name not in checked and (training or name == split):
            void = innermost_dataset(config[loader]).get('ignore_index', VOID)
            checked[name] = folder.check(name, training=name == TRAINING, void=void)
    if is_main_process():
        print(segmentation_folder.summary(names, checked))
    for loader, name in splits.items():
        innermost_dataset(config[loader]).update(
            data_root=str(options.data_root),
            data_prefix=folder.prefix(name),
            metainfo=dict(classes=names, palette=palette),
        )
    set_num_classes(config, len(names))


def _use_depth_folder(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None,
    split: str,
) -> None:
    """Read a folder of images and depth maps."""
    _refuse_coco_options(options, 'images and depth maps are those of images/ and depth/')
    counts = {}
    for loader, name in _splits_of_loaders(config, split).items():
        dataset = innermost_dataset(config[loader])
        dataset.data_root = str(options.data_root)
        if split != VALIDATION and loader != 'train_dataloader':
            _choose_depth_split(dataset, split)
        if name not in counts and (training or name == split):
            folders = dataset.data_prefix.img_path, dataset.data_prefix.depth_map_path
            found = find_depth_pairs(*folders, dataset.get('ann_file', ''), options.data_root)
            samples = [Sample(image, map=depth) for image, depth in found.pairs]
            check_files(samples, f'{name} of {options.data_root}', DEPTH_MAP, name == TRAINING)
            counts[name] = str(len(found.pairs))
    if is_main_process():
        print(text_table([['', *counts], ['images with depth', *counts.values()]]))


def _choose_depth_split(dataset: ConfigDict, split: str) -> None:
    if dataset.get('ann_file'):
        raise InvalidArgument(
            f'--split {split} goes with folders whose depth maps are found by name; this config '
            f'reads the list {dataset.ann_file}: set --cfg-options test_dataloader.dataset.ann_file'
        )
    dataset.data_prefix = dict(img_path=f'images/{split}', depth_map_path=f'depth/{split}')


def _use_classification_folder(
    config: Config,
    options: argparse.Namespace,
    training: bool,
    classes: Sequence[str] | None,
    split: str,
) -> None:
    """Read folders of images by class, or lists of them."""
    _refuse_coco_options(options, 'classes are the folders of the training split, or classes.txt')
    splits = _splits_of_loaders(config, split)
    use_image_folder(config, options.data_root, splits, training, classes)


_READERS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(CLASSIFICATION, _use_classification_folder),
    COCO: _use_coco_folder,
    DEPTH: _use_depth_folder,
    SEGMENTATION: _use_segmentation_folder,
}
