"""``rexdense prepare``: check, show and clean a data set, and convert it to COCO."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli.parser import Parser, fraction
from rexdense.datasets.file_names import not_a_folder
from rexdense.datasets.formats.split_folders import subfolders
from rexdense.datasets.formats.zip_files import unpack
from rexdense.datasets.images.folders import IMAGE_ENDINGS
from rexdense.datasets.inspection.boxes import BoxSplit
from rexdense.datasets.inspection.class_folders import is_class_folders
from rexdense.datasets.inspection.copies import write_box_copy, write_file_copy
from rexdense.datasets.inspection.findings import Inspected
from rexdense.datasets.inspection.folder import inspect_folder
from rexdense.datasets.inspection.label_maps import is_label_maps
from rexdense.datasets.inspection.sources import CONVERTED, recognised
from rexdense.errors import (
    DataError,
    IncompleteResults,
    InvalidArgument,
    UnwritableFile,
    left_out_sentence,
)
from rexdense.files.destinations import check_destination, refuse_inputs
from rexdense.files.writing import atomic_write

ZIP = '.zip'


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense prepare',
        description='Check a data set of boxes, masks, label maps or classes: count, find '
        'suspicious samples, draw, clean, and convert other formats to COCO.',
    )
    result.add_argument(
        'data', type=Path, help='folder of the data, or a zip file from a labelling tool'
    )
    result.add_argument(
        '--unpack', type=Path, metavar='DIR', help='a new folder to unpack the zip file into'
    )
    result.add_argument('--json', type=Path, metavar='FILE', help='write all findings as JSON')
    result.add_argument(
        '--picture', type=Path, metavar='FILE', help='draw plots and a sheet of annotated samples'
    )
    result.add_argument('--overwrite', action='store_true', help='replace the JSON and the picture')
    result.add_argument(
        '--convert',
        choices=CONVERTED,
        help='the format of the folder; --out converts it to COCO. Default: detected',
    )
    result.add_argument(
        '--out', type=Path, metavar='DIR', help='write images and COCO annotations, unchanged'
    )
    result.add_argument(
        '--write-fixed',
        type=Path,
        metavar='DIR',
        help='write a cleaned copy, without annotations that training leaves out, duplicate boxes, '
        'damaged images and images that are repeated in a later split',
    )
    result.add_argument(
        '--no-crowds',
        action='store_true',
        help='treat annotations with iscrowd 1 as single objects, as CVAT writes its brush masks',
    )
    result.add_argument(
        '--crops',
        type=Path,
        metavar='DIR',
        help='write a crop of each object to DIR/<split>/<class>, for pretraining a classifier',
    )
    result.add_argument(
        '--val-share',
        type=fraction,
        metavar='X',
        help='with --out or --write-fixed: share of a folder without splits that becomes val',
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Inspect a data set, print the findings, and write the requested files. If some images have no
    crops, raise IncompleteResults after the crops of all others."""
    options = parser().parse_args(arguments)
    _check_files(options)
    root = _root(options)
    _check_places(options, root)
    inspected, form, splits = inspect_folder(root, options.convert, options.no_crowds)
    if options.no_crowds and not splits:
        raise InvalidArgument(
            f'--no-crowds goes with boxes and masks, and {root} holds {inspected.kind}'
        )
    print(f'{root} holds {inspected.kind}{f" in the form {form}" if form else ""}.\n')
    print(inspected.text())
    if options.json:
        document = dict(data=str(root), form=form, **inspected.document())
        content = f'{json.dumps(document, indent=1)}\n'.encode()
        print(f'\n{atomic_write(options.json, content, options.overwrite, make_folder=True)}')
    if options.picture:
        print(_draw(options.picture, inspected, splits, root, options.overwrite))
    _write_copy(options, root, inspected, splits)
    if options.crops:
        _write_crops(options.crops, root, inspected, splits)


def _root(options: argparse.Namespace) -> Path:
    """Return the folder of the data, or its only entry if that is a folder."""
    root = options.data
    if root.suffix.lower() == ZIP and not root.is_dir():
        if options.unpack is None:
            raise InvalidArgument(f'{root} is a zip file: name a new folder for it with --unpack')
        root = unpack(root, options.unpack)
        print(f'{options.data} was unpacked into {root}')
    elif options.unpack is not None:
        raise InvalidArgument(f'--unpack goes with a zip file, and {root} is none')
    if fault := not_a_folder(root):
        raise DataError(f'{root} {fault}; give the folder of the data, or a zip file')
    while True:
        inner = subfolders(root)
        alone = len(inner) == 1 and sum(1 for _ in root.iterdir()) == 1
        if not alone or recognised(root) or is_label_maps(root) or is_class_folders(root):
            return root
        root = inner[0]


def _check_files(options: argparse.Namespace) -> None:
    """Raise InvalidArgument, before a zip file is unpacked, if options exclude each other or would
    replace an input."""
    copy = options.write_fixed or options.out
    if options.write_fixed and options.out:
        raise InvalidArgument('--out keeps annotations as they are, --write-fixed cleans: give one')
    if options.crops and copy:
        raise InvalidArgument(
            '--crops cuts objects out of the data as it is: give it without a copy'
        )
    if options.val_share is not None:
        if copy is None:
            raise InvalidArgument('--val-share goes with --out or --write-fixed; give one')
        if not 0 < options.val_share < 1:
            raise InvalidArgument('--val-share: give a number between 0 and 1')
    if options.picture is not None and options.picture.suffix.lower() not in IMAGE_ENDINGS:
        raise InvalidArgument(
            f'{options.picture}: a picture ends in one of {", ".join(IMAGE_ENDINGS)}'
        )
    files = [file for file in (options.json, options.picture) if file is not None]
    refuse_inputs(files, [options.data])
    if len({os.path.realpath(file) for file in files}) < len(files):
        raise InvalidArgument(f'--json and --picture are both {files[0]}: choose two places')
    for file in files:
        for folder in filter(None, (copy, options.crops, options.unpack)):
            if Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder)):
                raise InvalidArgument(f'{file} would lie in {folder}, a new folder: choose another')
        if file.parent.is_dir():
            check_destination(file, options.overwrite)
    folder = copy or options.crops
    if folder is not None and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise UnwritableFile(f'{folder} exists: choose another folder')


def _check_places(options: argparse.Namespace, root: Path) -> None:
    """Raise InvalidArgument, before the long work, if anything would be written into the data."""
    source = Path(os.path.realpath(root))
    places = options.json, options.picture, options.write_fixed, options.out, options.crops
    for place in filter(None, places):
        if Path(os.path.realpath(place)).is_relative_to(source):
            raise InvalidArgument(f'{place} would lie in the data, {root}: choose another place')


def _draw(
    path: Path, inspected: Inspected, splits: dict[str, BoxSplit], root: Path, overwrite: bool
) -> Path:
    # Images are read with mmcv, which is slow to import.
    from rexdense.visualization.data_sheet import draw_overview
    from rexdense.visualization.picture_files import write_picture

    return write_picture(path, draw_overview(inspected, splits, root), overwrite)


def _write_crops(
    target: Path, root: Path, inspected: Inspected, splits: dict[str, BoxSplit]
) -> None:
    """Write the crops of the objects, and print their numbers by class; the errors are those of
    :func:`main`."""
    if not splits:
        raise InvalidArgument(
            f'--crops goes with boxes and masks, and {root} holds {inspected.kind}'
        )
    from rexdense.datasets.inspection.crops import write_crops

    left_out: list[DataError] = []
    for split, classes in write_crops(splits, target, left_out.append).items():
        counts = ', '.join(f'{count} {name}' for name, count in sorted(classes.items()))
        print(f'{target}: {split} has {counts}')
    if left_out:
        total = sum(len(read.content['images']) for read in splits.values())
        raise IncompleteResults(left_out_sentence(left_out, total, '--json FILE'))


def _write_copy(
    options: argparse.Namespace, root: Path, inspected: Inspected, splits: dict[str, BoxSplit]
) -> None:
    """Write the requested copy, and print its content."""
    target = options.write_fixed or options.out
    if target is None:
        return
    clean = options.write_fixed is not None
    if splits:
        written = write_box_copy(splits, inspected, target, clean, options.val_share)
        for split, (images, annotations) in written.items():
            print(f'{target}: {split} has {images} images and {annotations} annotations')
    elif clean and options.val_share is None:
        for split, images in write_file_copy(root, inspected, target).items():
            print(f'{target}: {split} has {images} images')
    else:
        raise InvalidArgument(
            f'--out and --val-share go with boxes and masks, and {root} holds {inspected.kind}; '
            '--write-fixed writes a cleaned copy'
        )
    if clean:
        print('Boxes that cover all, masks that disagree and images twice in a split stay: look.')
