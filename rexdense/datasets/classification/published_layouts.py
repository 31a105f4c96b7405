"""Fine-grained data sets in the layouts of their publishers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.classification.file_index import FileIndex
from rexdense.datasets.text_files import MOST_LIST_BYTES, read_text
from rexdense.dependencies import needed_packages
from rexdense.errors import DataError, InvalidArgument, first_line, suggest
from rexdense.registry import DATASETS

TRAINING, TEST = 'train', 'test'


class Listed(NamedTuple):
    """The classes in the order of the labels, and the path below the root and label of each
    image."""

    classes: tuple[str, ...]
    paths: list[str]
    labels: list[int]


@DATASETS.register_module()
class PublishedDataset(ClassificationDataset):
    """One of four fine-grained data sets, as its archives unpack.

    Args:
        data_root: The folder that the archive creates, such as ``food-101``.
        split: 'train' for the training images, with the validation images if the set has three
            splits (FGVC-Aircraft, Oxford Flowers); 'test' for the test images.
        layout: A key of ``LAYOUTS``.
        arguments: Arguments of :class:`ClassificationDataset`.

    Raises:
        InvalidArgument: there is no such layout or split.
        DataError: a file of the layout or a listed image is missing, or the lists disagree.
    """

    def __init__(self, data_root: str, split: str, layout: str, **arguments: Any) -> None:
        if layout not in LAYOUTS:
            raise InvalidArgument(f'layout={layout!r}: {suggest(str(layout), LAYOUTS)}')
        if split not in (TRAINING, TEST):
            raise InvalidArgument(
                f'split {split!r}: {layout} is published with the splits {TRAINING} and {TEST}; '
                'give one of them'
            )
        self.layout = layout
        super().__init__(data_root, split, **arguments)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        self.data_prefix = dict(img_path=self.data_root)

    def _scan(
        self, folder: Path, classes: Sequence[str] | None = None
    ) -> tuple[tuple[str, ...], FileIndex]:
        """List the images of the split that has the name of the folder."""
        root = Path(self.data_root)
        listed = self._listed(root, folder.name == TRAINING)
        missing = [path for path in listed.paths if not (root / path).is_file()]
        if missing:
            raise DataError(
                f'{root} lacks {len(missing)} of {len(listed.paths)} images of {self.layout} '
                f'(first {missing[0]}): unpack the whole archive'
            )
        if classes is not None and tuple(classes) != listed.classes:
            raise DataError(
                f'{root} has the classes of {self.layout}, not those of the model, '
                f'{", ".join(classes[:3])} ...: take the config of that set'
            )
        return listed.classes, FileIndex(root, listed.paths, listed.labels)

    def _listed(self, root: Path, training: bool) -> Listed:
        """Read the lists of a split. Raise DataError if one is missing, cannot be read, or has
        entries that the others lack."""
        again = 'unpack the archive again'
        try:
            listed = LAYOUTS[self.layout](root, training)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            what = f'{type(error).__name__}: {first_line(error)}'
            raise DataError(
                f'the lists of {self.layout} in {root} do not agree ({what}): {again}'
            ) from error
        for path, label in zip(listed.paths, listed.labels, strict=True):
            if not 0 <= label < len(listed.classes):
                raise DataError(
                    f'the lists of {self.layout} in {root} give {path} the class {label + 1} of '
                    f'{len(listed.classes)}: {again}'
                )
        return listed


def _lines(root: Path, name: str) -> list[str]:
    lines = read_text(_there(root, name), MOST_LIST_BYTES).splitlines()
    return [line.strip() for line in lines if line.strip()]


def _there(root: Path, *names: str) -> Path:
    """Return the first of the files that exists; raise DataError if none does."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise DataError(
        f'{root / names[0]} is not there: --data-root names the folder that the published archive '
        'unpacks to'
    )


def _matlab(path: Path, purpose: str) -> dict[str, np.ndarray]:
    """Return the arrays of a MATLAB file, squeezed to at least one dimension; raise DataError if it
    is no such file."""
    with needed_packages(f'reading {purpose}'):
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    try:
        content = loadmat(str(path), squeeze_me=True)
    except (MatReadError, OSError, TypeError, ValueError) as error:
        raise DataError(f'{path} cannot be read ({error}): fetch it again') from error
    return {name: np.atleast_1d(value) for name, value in content.items() if name[:2] != '__'}


def _food(root: Path, training: bool) -> Listed:
    """Food-101 (Bossard et al. 2014): ``images/<class>/*.jpg`` and lists in ``meta``."""
    classes = tuple(_lines(root, 'meta/classes.txt'))
    places = {name: place for place, name in enumerate(classes)}
    names = _lines(root, f'meta/{"train" if training else "test"}.txt')
    labels = [places[name.partition('/')[0]] for name in names]
    return Listed(classes, [f'images/{name}.jpg' for name in names], labels)


def _cars(root: Path, training: bool) -> Listed:
    """Stanford Cars (Krause et al. 2013): ``cars_train``, ``cars_test``, ``devkit``. The labels of
    the test images are in a separate file."""
    meta = _there(root, 'devkit/cars_meta.mat')
    name = 'cars_train_annos.mat' if training else 'cars_test_annos_withlabels.mat'
    annotations = _there(root, f'devkit/{name}', name)
    classes = tuple(map(str, _matlab(meta, 'Stanford Cars')['class_names']))
    rows = _matlab(annotations, 'Stanford Cars')['annotations']
    folder = 'cars_train' if training else 'cars_test'
    paths = [f'{folder}/{row["fname"]}' for row in rows]
    return Listed(classes, paths, [int(row['class']) - 1 for row in rows])


def _aircraft(root: Path, training: bool) -> Listed:
    """FGVC-Aircraft (Maji et al. 2013), its 100 variants: ``data/images`` and lists in ``data``."""
    classes = tuple(_lines(root, 'data/variants.txt'))
    places = {name: place for place, name in enumerate(classes)}
    split = 'trainval' if training else 'test'
    rows = [line.split(' ', 1) for line in _lines(root, f'data/images_variant_{split}.txt')]
    paths = [f'data/images/{image}.jpg' for image, _ in rows]
    return Listed(classes, paths, [places[variant] for _, variant in rows])


def _flowers(root: Path, training: bool) -> Listed:
    """Oxford 102 Flowers (Nilsback and Zisserman 2008): ``jpg``, ``imagelabels.mat`` and
    ``setid.mat``. The classes are numbers from 1."""
    labels = _matlab(_there(root, 'imagelabels.mat'), 'Oxford Flowers')['labels']
    splits = _matlab(_there(root, 'setid.mat'), 'Oxford Flowers')
    chosen = ('trnid', 'valid') if training else ('tstid',)
    numbers = [int(number) for split in chosen for number in splits[split]]
    classes = tuple(map(str, range(1, int(labels.max()) + 1)))
    paths = [f'jpg/image_{number:05d}.jpg' for number in numbers]
    # Numbered from 1. In a list, the number 0 would give the last image.
    places = dict(enumerate(labels, start=1))
    return Listed(classes, paths, [int(places[number]) - 1 for number in numbers])


LAYOUTS: dict[str, Callable[[Path, bool], Listed]] = {
    'food-101': _food,
    'stanford-cars': _cars,
    'fgvc-aircraft': _aircraft,
    'oxford-flowers': _flowers,
}
"""The reader of each layout. Its arguments are the root and whether to read training images."""
PUBLISHED_PARTS: dict[str, tuple[str, ...]] = {
    'food-101': ('images', 'meta'),
    'stanford-cars': ('cars_train', 'cars_test', 'devkit', 'cars_test_annos_withlabels.mat'),
    'fgvc-aircraft': ('data',),
    'oxford-flowers': ('jpg', 'imagelabels.mat', 'setid.mat'),
}
"""The folders and files below the root that the readers of the layouts use."""
