"""Folders, lists and archives of classified images as a data set of mmengine."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from rexdense.arch.checks import require_ratio
from rexdense.datasets.classification.file_index import FileIndex, class_folders, scan_classes
from rexdense.datasets.classification.image_list import read_image_list, synset_of
from rexdense.datasets.classification.shards import find_shards, scan_shards
from rexdense.datasets.images.folders import entries_of, is_data, is_folder
from rexdense.datasets.skipping import SkipUnreadable
from rexdense.datasets.text_files import MOST_NAMES_BYTES, read_text
from rexdense.errors import DataError
from rexdense.registry import DATASETS

CLASS_FILE = 'classes.txt'


def read_class_names(root: Path) -> tuple[str, ...] | None:
    """Return the names in ``classes.txt`` below ``root``, a name a line in the order of the labels;
    None where there is no such file.

    A synset list (``n01440764 tench, Tinca tinca``) gives the synsets, which folders bear as names.

    Raises:
        DataError: it cannot be read, or holds fewer than two names, or one twice.
    """
    path = root / CLASS_FILE
    if not path.is_file():
        return None
    lines = [line.strip() for line in read_text(path, MOST_NAMES_BYTES).splitlines()]
    names = [line for line in lines if line and not line.startswith('#')]
    synsets = [synset_of(name) for name in names]
    if None not in synsets:
        names = synsets
    twice = [name for name, count in Counter(names).items() if count > 1]
    if len(names) < 2 or twice:
        what = f'names {twice[0]!r} twice' if twice else f'holds {len(names)} names'
        raise DataError(f'{path} {what}; give each class a line of its own')
    return tuple(names)


@DATASETS.register_module()
class ClassificationDataset(SkipUnreadable, BaseDataset):
    """Images with a class each, from folders (``<split>/<class>/*``), a list, or tar files.

    Classes are, in this order of preference, those of ``metainfo``, of ``classes.txt`` in
    ``data_root``, of ``class_ann_file``, or those of the training split sorted by name. Paths and
    labels lie in arrays, which loader processes share without copies. A training image that cannot
    be decoded is replaced by another one, with a warning, until there are too many of them.

    Args:
        data_root: The folder that holds the splits.
        split: The folder of the split below ``data_root``. If it holds tar files and no folders,
            they are read, see :mod:`~rexdense.datasets.classification.shards`.
        class_split: The split that names the classes.
        ann_file: A list of images below ``data_root``, see
            :func:`~rexdense.datasets.classification.image_list.read_image_list`, its paths
            relative to the split; '' takes the folders or the tar files.
        class_ann_file: The list of the training images, if that names the classes.
        cache: Folder for the lists of files; None keeps none.
        most_unreadable: The largest share of training images that may be left out, 0 to 1.
        arguments: Further ones of mmengine's ``BaseDataset``: metainfo, pipeline, test_mode ...

    Raises:
        DataError: a folder or list cannot be used, its classes are not known, or there is one
            class only.
        InvalidArgument: ``most_unreadable`` is no share.
    """

    def __init__(
        self,
        data_root: str,
        split: str,
        class_split: str = 'train',
        ann_file: str = '',
        class_ann_file: str = '',
        cache: str | None = None,
        most_unreadable: float = 0.1,
        metainfo: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        require_ratio('most_unreadable', most_unreadable)
        self.split, self.class_split = split, class_split
        self.class_ann_file = class_ann_file
        self.cache = Path(cache).expanduser() if cache else None
        self.most_unreadable = most_unreadable
        self._files: FileIndex | None = None
        arguments.setdefault('serialize_data', False)
        super().__init__(
            data_root=str(data_root), ann_file=ann_file, metainfo=metainfo, **arguments
        )

    @property
    def labels(self):
        """The label of each image, an array (images,) of int64."""
        self.full_init()
        return self._files.labels

    @property
    def unread_images(self) -> dict[str, int]:
        """The number of images in the folders of each kind that is not read, by endings."""
        self.full_init()
        return self._files.unread

    def full_init(self) -> None:
        """List the files, unless that has been done."""
        if self._fully_initialized:
            return
        folder = Path(self.data_root) / self.split
        classes = self._known_classes()
        if self.ann_file:
            names, files = read_image_list(Path(self.ann_file), folder, classes, self.cache)
        else:
            names, files = self._scan(folder, classes)
        if len(names) < 2:
            raise DataError(f'{folder} has one class only ({names[0]}); give at least two')
        self._metainfo['classes'] = tuple(names)
        self._files = files if self._indices is None else files.subset(self._chosen(len(files)))
        super().full_init()

    def _known_classes(self) -> Sequence[str] | None:
        """Return the class names; None where the split's own are meant. Raise DataError where they
        are not known, though images are to be measured, or one is named twice."""
        root = Path(self.data_root)
        classes = self._metainfo.get('classes') or read_class_names(root)
        if classes is not None:
            twice = [name for name, number in Counter(classes).items() if number > 1]
            if twice:
                raise DataError(
                    f'classes of metainfo names {twice[0]!r} twice: each class has one label'
                )
            return classes
        training = root / self.class_split
        if self.class_ann_file:
            return read_image_list(root / self.class_ann_file, training, cache=self.cache)[0]
        if not self.ann_file:
            return None if self.split == self.class_split else self._scan(training)[0]
        if self.split != self.class_split and training.is_dir():
            return class_folders(training)
        if self.test_mode:
            raise DataError(
                f'{self.ann_file}: the classes and their order are not known; write them into '
                f'{root / CLASS_FILE}, or name the list of the training images (class_ann_file)'
            )
        return None

    def _scan(
        self, folder: Path, classes: Sequence[str] | None = None
    ) -> tuple[tuple[str, ...], FileIndex]:
        """List the images of a split without a list."""
        sharded = find_shards(folder) and not any(
            is_data(entry.name) and is_folder(entry) for entry in entries_of(folder)
        )
        return (scan_shards if sharded else scan_classes)(folder, classes, self.cache)

    def _chosen(self, count: int) -> range | list[int]:
        """Return the places that mmengine's ``indices`` stands for."""
        if isinstance(self._indices, int):
            return (
                range(count)[: self._indices]
                if self._indices >= 0
                else range(count)[self._indices :]
            )
        return list(self._indices)

    def load_data_list(self) -> list[dict]:
        """Return nothing: paths and labels lie in arrays."""
        return []

    def _join_prefix(self) -> None:
        self.data_prefix = dict(img_path=str(Path(self.data_root) / self.split))
        if self.ann_file and not Path(self.ann_file).is_absolute():
            self.ann_file = str(Path(self.data_root) / self.ann_file)

    def filter_data(self) -> list[dict]:
        return self.data_list

    def _get_unserialized_subset(self, indices: Any) -> list[dict]:
        return self.data_list

    def __len__(self) -> int:
        return len(self._files) if self._files is not None else 0

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return ``img_path``, ``gt_label`` and ``sample_idx`` of an image, and where it lies in an
        archive."""
        self.full_init()
        idx = range(len(self))[idx]
        return dict(
            **self._files.describe(idx),
            gt_label=int(self._files.labels[idx]),
            sample_idx=idx,
        )
