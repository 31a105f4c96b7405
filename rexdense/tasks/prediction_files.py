"""The images of a prediction and the files of its results."""

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from mmengine.logging import print_log

from rexdense.datasets.images.folders import (
    IMAGE_ENDINGS,
    entries_of,
    is_data,
    is_folder,
    unread_images,
    unread_sentence,
)
from rexdense.datasets.images.videos import is_video
from rexdense.errors import DataError, InvalidArgument
from rexdense.files.destinations import check_destination, prepare_output_dir, refuse_inputs
from rexdense.files.output_names import Rename, output_names, output_path
from rexdense.files.writing import atomic_write
from rexdense.tasks import Task
from rexdense.visualization.picture_files import picture_name
from rexdense.visualization.video_files import video_name

RESULTS, OVERVIEW = 'predictions.json', 'predictions.png'
FILES = 'files'
"""Entry of the JSON file that lists all other files of the run."""
LEFT_OUT = 'left_out'
"""Entry of the JSON file with the images that could not be used, if there are any."""
SCALES_FOLDER = 'scales'


def find_images(path: Path) -> list[Path]:
    """Return the image or video itself, or the images of a folder by name, after a line about those
    of kinds that are not read; raise DataError where there is none, or the folder cannot be
    read."""
    if not path.exists():
        raise DataError(f'{path} is not there; give an image or a folder of images, or a video')
    if not path.is_dir():
        return [path]
    entries = entries_of(path)
    files = [path / entry.name for entry in entries if not is_folder(entry)]
    found = sorted(
        file for file in files if file.suffix.lower() in IMAGE_ENDINGS and is_data(file.name)
    )
    unread = unread_images(file for file in files if is_data(file.name))
    if found and unread:
        print_log(f'{path}: {unread_sentence(unread)}', 'current', logging.WARNING)
    if not found:
        hint = ''
        if unread:
            hint = f'; {unread_sentence(unread)}'
        elif any(map(is_video, files)):
            hint = '; give its videos one by one'
        elif any(is_data(entry.name) and is_folder(entry) for entry in entries):
            hint = '; folders inside it are not looked into: give one of them'
        raise DataError(f'no image in {path}; looked for {", ".join(IMAGE_ENDINGS)}{hint}')
    return found


class Place(NamedTuple):
    """The output files of one image.

    Attributes:
        picture: The picture or video of the prediction.
        data: The file of the prediction itself; None for videos, and if the JSON file has it.
        scale_picture: The picture of the prediction of each output.
        scales: The files of these predictions, by stride; empty unless requested.
    """

    picture: Path
    data: Path | None
    scale_picture: Path
    scales: dict[int, Path]

    def files(self) -> list[Path]:
        """Return all files that will be written."""
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
    """Return the output files of each image.

    Args:
        strides: Strides of the outputs whose predictions are also requested.

    Raises:
        InvalidArgument: a link leads out of the folder.
    """
    reserved = [OVERVIEW] if task.overview_size else []
    pictures = output_names(paths, renames=[_shown_name], reserved=reserved)
    names = output_names(paths, renames=data_renames(task.data_ending))

    def place(path: Path) -> Place:
        picture, name = pictures[str(path)], names[str(path)]
        with_data = task.data_folder is not None and not is_video(path)
        return Place(
            picture=output_path(folder, picture),
            data=output_path(folder, f'{task.data_folder}/{name}') if with_data else None,
            scale_picture=output_path(folder, f'{SCALES_FOLDER}/{picture}'),
            scales={
                stride: output_path(folder, f'{SCALES_FOLDER}/{stride}/{name}')
                for stride in strides
            },
        )

    return [place(path) for path in paths]


def _shown_name(path: str) -> str:
    return video_name(path) if is_video(path) else picture_name(path)


def data_renames(ending: str) -> list[Rename]:
    """Return functions that name the data file of an image: the ending replaces that of the image,
    or is appended if two images differ only in their ending."""
    return [lambda name: PurePath(name).stem + ending, lambda name: name + ending]


def check_folder(paths: Sequence[Path], folder: Path) -> None:
    """Raise InvalidArgument if the results would be written among the images."""
    if any(path.parent.resolve() == folder.resolve() for path in paths):
        raise InvalidArgument(f'--out-dir {folder} is the folder of the images; choose another')


def check_places(
    places: Sequence[Place],
    folder: Path,
    overwrite: bool,
    inputs: Sequence[Path],
    task: Task,
) -> list[str]:
    """Check the output files. Return the files of an earlier run, relative to the folder.

    Even with ``overwrite``, only files that an earlier run lists in its JSON file are replaced. Any
    other file may be somebody's data.

    Args:
        inputs: Files that are read, and never replaced.
        task: The task of the model.

    Raises:
        InvalidArgument: a file would be overwritten without permission, or the folder cannot be
            written.
    """
    overview = [folder / OVERVIEW] if task.overview_size else []
    files = [folder / RESULTS, *overview, *(path for place in places for path in place.files())]
    refuse_inputs(files, inputs)
    there = [path for path in files if os.path.lexists(path)]
    if there and not overwrite:
        raise InvalidArgument(f'{there[0]} exists: give another --out-dir, or --overwrite')
    earlier = _earlier_files(folder)
    for path in there:
        check_destination(path, overwrite)
        if path.relative_to(folder).as_posix() not in earlier:
            raise InvalidArgument(
                f'{path} was not written by an earlier run, whose {RESULTS} would name it: choose '
                'another --out-dir, or take it away'
            )
    prepare_output_dir(folder, '--out-dir')
    return [name for name in earlier if name != RESULTS and (folder / name).is_file()]


def _earlier_files(folder: Path) -> list[str]:
    """Return the files that an earlier run lists in its JSON file."""
    try:
        content = json.loads((folder / RESULTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    files = content.get(FILES) if isinstance(content, dict) else None
    return [RESULTS, *map(str, files)] if isinstance(files, list) else []


def write_results(
    folder: Path,
    task: Task,
    images: Sequence[Mapping[str, Any]],
    files: Iterable[Path | str],
    left_out: Iterable[Exception] = (),
) -> Path:
    """Write the JSON file about all images, and return its path.

    Args:
        task: Determines the form of the file.
        files: All files of the run, written or not yet, relative to the folder or inside it.
        left_out: The errors of missing images or video frames.
    """
    names = {
        path.relative_to(folder).as_posix() if isinstance(path, Path) else path for path in files
    }
    content = task.document(images) | {FILES: sorted(names)}
    if reasons := [str(error) for error in left_out]:
        content[LEFT_OUT] = reasons
    return atomic_write(folder / RESULTS, json.dumps(content, indent=1).encode(), overwrite=True)
