"""A data set of classified images in folders, lists or tar files."""

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
from rexdense.datasets.text_files import CLASS_FILE, MOST_NAMES_BYTES, read_text
from rexdense.errors import DataError
from rexdense.registry import DATASETS


def read_class_names(root: Path) -> tuple[str, ...] | None:
    """Return the names in ``classes.txt`` below ``root``, one per line in the order of the labels;
    None if there is no such file.

    For a synset list (``n01440764 tench, Tinca tinca``), return the synsets, which are the names of
    the folders.

    Raises:
        DataError: the file cannot be read, has fewer than two names, or has a name twice.
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
    """Images with one class each, from folders (``<split>/<class>/*``), a list, or tar files.

    The classes come from the first of these: ``metainfo``, ``classes.txt`` in ``data_root``,
    ``class_ann_file``, the training split (sorted by name). Paths and labels are stored in arrays,
    which dataloader workers share without copies. A training image that cannot be decoded is
    replaced by another one, with a warning. More than the share ``most_unreadable`` of such images
    is an error.

    Args:
        data_root: The folder of the splits.
        split: The folder of the split below ``data_root``. If it holds tar files and no folders,
            they are read; see :mod:`~rexdense.datasets.classification.shards`.
        class_split: The split that defines the classes.
        ann_file: A list of images below ``data_root``, with paths relative to the split, see
            :func:`~rexdense.datasets.classification.image_list.read_image_list`; '' takes the
            folders or tar files.
        class_ann_file: The list of the training images, if it defines the classes.
        cache: Folder for the cached file lists; None caches nothing.
        most_unreadable: The largest share of training images that may be left out, 0 to 1.
        arguments: Further arguments of mmengine's ``BaseDataset``, such as metainfo and pipeline.

    Raises:
        DataError: a folder or list cannot be used, its classes are unknown, or there is only one
            class.
        InvalidArgument: ``most_unreadable`` is not from 0 to 1.
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
        """The number of images of unsupported kinds, by file ending."""
        self.full_init()
        return self._files.unread

    def full_init(self) -> None:
        """List the files, if they are not listed yet."""
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
        """Return the class names; None for those of the split itself. Raise DataError if a name
        occurs twice, or if the classes of a test set are unknown."""
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
        """Return the class names and files of a split of folders or tar files."""
        sharded = find_shards(folder) and not any(
            is_data(entry.name) and is_folder(entry) for entry in entries_of(folder)
        )
        return (scan_shards if sharded else scan_classes)(folder, classes, self.cache)

    def _chosen(self, count: int) -> range | list[int]:
        """Return the images that mmengine's argument ``indices`` selects."""
        if isinstance(self._indices, int):
            return (
                range(count)[: self._indices]
                if self._indices >= 0
                else range(count)[self._indices :]
            )
        return list(self._indices)

    def load_data_list(self) -> list[dict]:
        """Return an empty list: paths and labels are stored in arrays."""
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
        """Return ``img_path``, ``gt_label`` and ``sample_idx`` of an image, and its place in a tar
        file."""
        self.full_init()
        idx = range(len(self))[idx]
        return dict(
            **self._files.describe(idx),
            gt_label=int(self._files.labels[idx]),
            sample_idx=idx,
        )
