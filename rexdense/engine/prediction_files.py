"""Which images a prediction is of, and where its results go."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rexdense.datasets.segmentation_folder import IMAGE_ENDINGS
from rexdense.engine.picture_files import picture_name
from rexdense.engine.tasks import Task
from rexdense.engine.work_dir import prepare_output_dir
from rexdense.errors import DataError, InvalidArgument

__all__ = ['RESULTS', 'Place', 'check_folder', 'check_places', 'find_images', 'places_of']

RESULTS = 'predictions.json'
SCALES_FOLDER = 'scales'


def find_images(path: Path) -> list[Path]:
    """Return the image itself, or the images of a folder by name.

    Raises:
        DataError: there is none.
    """
    if not path.exists():
        raise DataError(f'{path} is not there; give an image or a folder of images')
    found = (
        [path]
        if path.is_file()
        else sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_ENDINGS)
    )
    if not found:
        raise DataError(f'no image in {path}; looked for {", ".join(IMAGE_ENDINGS)}')
    return found


class Place(NamedTuple):
    """Where the results of one image go.

    Attributes:
        picture: The picture of what was found.
        data: The file that holds the prediction; None where a JSON does.
        scale_picture: The picture of what each output predicts.
        scales: The files that hold these predictions, by stride; empty unless they are wanted.
    """

    picture: Path
    data: Path | None
    scale_picture: Path
    scales: dict[int, Path]

    def files(self) -> list[Path]:
        """Return all that will be written."""
        data = [] if self.data is None else [self.data]
        return [
            self.picture,
            *data,
            *([self.scale_picture] if self.scales else []),
            *self.scales.values(),
        ]


def places_of(
    paths: Sequence[Path], folder: Path, task: Task, strides: Sequence[int]
) -> list[Place]:
    """Return where the results of each image go.

    Args:
        strides: Of the outputs whose predictions are wanted, too.
    """
    stems = [path.stem for path in paths]
    places = []
    for path in paths:
        picture = picture_name(path)
        # Images that differ in their endings alone keep them.
        name = (path.stem if stems.count(path.stem) == 1 else path.name) + task.data_ending
        scales = folder / SCALES_FOLDER
        places.append(
            Place(
                picture=folder / picture,
                data=folder / task.data_folder / name if task.data_folder else None,
                scale_picture=scales / picture,
                scales={stride: scales / str(stride) / name for stride in strides},
            )
        )
    return places


def check_folder(paths: Sequence[Path], folder: Path) -> None:
    """Check that the results do not go among the images.

    Raises:
        InvalidArgument: they would.
    """
    if any(path.parent.resolve() == folder.resolve() for path in paths):
        raise InvalidArgument(f'--out-dir {folder} is the folder of the images; choose another')


def check_places(places: Sequence[Place], folder: Path, overwrite: bool) -> None:
    """Check that nothing is overwritten unasked, and that the folder can be written.

    Raises:
        InvalidArgument: it is not so.
    """
    files = [folder / RESULTS, *(path for place in places for path in place.files())]
    there = [path for path in files if path.exists()]
    if there and not overwrite:
        raise InvalidArgument(f'{there[0]} exists: give another --out-dir, or --overwrite')
    prepare_output_dir(folder, '--out-dir')
