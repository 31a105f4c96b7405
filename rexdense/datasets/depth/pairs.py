"""Pairs of image and depth map: by equal names in two folders, or by a list."""

import os
from pathlib import Path
from typing import NamedTuple

from rexdense.datasets.file_names import find_files, match_names, not_a_folder
from rexdense.datasets.images.folders import IMAGE_ENDINGS, images_below
from rexdense.datasets.text_files import MOST_LIST_BYTES, read_text
from rexdense.errors import DataError

DEPTH_ENDINGS = ('.png', '.npy', '.tif', '.tiff')


class DepthPairs(NamedTuple):
    """Images with their depth maps.

    Attributes:
        pairs: (image, depth map), sorted by image.
        left_out: Number of files or lines without a counterpart, by their kind.
    """

    pairs: tuple[tuple[str, str], ...]
    left_out: dict[str, int]


def find_depth_pairs(
    images: str | os.PathLike[str],
    depth: str | os.PathLike[str],
    pair_list: str | os.PathLike[str] = '',
    data_root: str | os.PathLike[str] = '',
) -> DepthPairs:
    """Pair images with depth maps by a list, or by name if no list is given. Raise DataError if
    something is missing or cannot be used.

    Args:
        images, depth, pair_list: Folders and file, see :func:`pair_by_name` and
            :func:`read_pair_list`.
        data_root: The folder that relative paths start from.
    """
    root = Path(data_root)
    if pair_list:
        return read_pair_list(root / pair_list, root / images, root / depth)
    return pair_by_name(root / images, root / depth)


def pair_by_name(images: str | os.PathLike[str], depth: str | os.PathLike[str]) -> DepthPairs:
    """Pair the files of two folders whose relative paths are equal except for their endings,
    compared as in :func:`~rexdense.datasets.file_names.match_names`. Raise DataError if a folder is
    missing or has no image, an image has no depth map, or two files of a folder differ only in
    their endings."""
    image_files = _files_by_name(Path(images), IMAGE_ENDINGS, 'images')
    depth_files = _files_by_name(Path(depth), DEPTH_ENDINGS, 'depth maps')
    partners = match_names(list(image_files), depth_files)
    lacking = [
        str(path)
        for path, partner in zip(image_files.values(), partners, strict=True)
        if partner is None
    ]
    if lacking:
        raise DataError(
            f'{len(lacking)} of {len(image_files)} images in {images} have no depth map of the '
            f'same name in {depth}, such as {lacking[0]}; add the maps or take the images out'
        )
    pairs = [
        (str(path), str(depth_files[partner]))
        for path, partner in zip(image_files.values(), partners, strict=True)
    ]
    without_image = len(depth_files) - len(image_files)
    return DepthPairs(
        tuple(sorted(pairs)),
        {'depth maps without an image': without_image} if without_image else {},
    )


def read_pair_list(
    path: str | os.PathLike[str], images: str | os.PathLike[str], depth: str | os.PathLike[str]
) -> DepthPairs:
    """Read a list with an image and its depth map per line, such as those of the Eigen split.

    Further words of a line, such as a focal length, are ignored. A line whose depth map is ``None``
    is left out and counted.

    Args:
        path: The list.
        images, depth: Folders that the names in the list are relative to.

    Raises:
        DataError: the list cannot be read, or names missing files.
    """
    try:
        lines = read_text(Path(path), MOST_LIST_BYTES).splitlines()
    except DataError as error:
        raise DataError(
            f'list {error}; give a text file with an image and its depth map on each line'
        ) from error
    pairs, without_depth = [], 0
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2:
            raise DataError(
                f'{path}, line {number}: {line.strip()!r} names one file; give an image and its '
                'depth map, with a space between'
            )
        if words[1] == 'None':
            without_depth += 1
        else:
            pairs.append((words[0], words[1]))
    columns = [
        (Path(folder), names, find_files(folder, names))
        for folder, names in zip((images, depth), map(list, zip(*pairs, strict=True)), strict=False)
    ]
    missing = [
        str(folder / name)
        for folder, names, files in columns
        for name, file in zip(names, files, strict=True)
        if file is None
    ]
    if missing:
        raise DataError(
            f'{path} names {len(missing)} files that are not there, such as {missing[0]}; '
            f'it takes images from {images} and depth maps from {depth}'
        )
    if not pairs:
        raise DataError(f'{path} names no image with a depth map; give a list that does')
    found = zip(
        *([str(folder / file) for file in files] for folder, _, files in columns), strict=True
    )
    return DepthPairs(
        tuple(sorted(found)), {'images without a depth map': without_depth} if without_depth else {}
    )


def _files_by_name(folder: Path, endings: tuple[str, ...], what: str) -> dict[str, Path]:
    """Return the files below a folder by their relative path without the ending."""
    if fault := not_a_folder(folder):
        raise DataError(
            f'the folder {folder} of the {what} {fault}; data_root and data_prefix say where '
            'it lies'
        )
    files: dict[str, Path] = {}
    for path in images_below(folder, endings):
        name = str(path.relative_to(folder).with_suffix(''))
        if name in files:
            raise DataError(
                f'{files[name]} and {path} have the same name but for the ending; keep one'
            )
        files[name] = path
    if not files:
        raise DataError(f'{folder} holds no {what}; they end in {", ".join(endings)}')
    return files
