"""Inspection of a data folder of any known form."""

from pathlib import Path
from typing import NamedTuple

from rexdense.datasets.inspection.boxes import BoxSplit, inspect_boxes
from rexdense.datasets.inspection.class_folders import inspect_class_folders, is_class_folders
from rexdense.datasets.inspection.findings import Inspected
from rexdense.datasets.inspection.label_maps import inspect_label_maps, is_label_maps
from rexdense.datasets.inspection.sources import read_box_splits, recognised
from rexdense.errors import DataError


class InspectedFolder(NamedTuple):
    """A data folder and its findings.

    Attributes:
        inspected: The findings.
        form: The form of boxes and masks, such as 'coco'; None for other kinds of data.
        splits: Boxes and masks as they were read; empty for other kinds of data.
    """

    inspected: Inspected
    form: str | None
    splits: dict[str, BoxSplit]


def inspect_folder(root: Path, form: str | None = None, no_crowds: bool = False) -> InspectedFolder:
    """Inspect a folder of boxes, masks, label maps or classes.

    Args:
        form: The form of boxes and masks; None detects it.
        no_crowds: Take crowds for single objects.

    Raises:
        DataError: the form is unknown, or the folder cannot be read.
    """
    form = form or recognised(root)
    if form is not None:
        splits = read_box_splits(root, form, no_crowds)
        return InspectedFolder(inspect_boxes(splits), form, splits)
    if is_label_maps(root):
        return InspectedFolder(inspect_label_maps(root), None, {})
    if is_class_folders(root):
        return InspectedFolder(inspect_class_folders(root), None, {})
    raise DataError(_unknown(root))


def _unknown(root: Path) -> str:
    """Return the message about a folder of unknown form."""
    there = sorted(entry.name for entry in root.iterdir())
    held = (
        f'it holds {", ".join(there[:6])}{", ..." if len(there) > 6 else ""}'
        if there
        else ('it is empty')
    )
    return (
        f'{root} is of no known form ({held}): looked for COCO annotations, Pascal VOC, YOLO, '
        'labelme, masks/ beside images/, label maps with classes.txt, and train/<class>/; '
        'docs/prepare.md shows them, and CVAT, Label Studio and Roboflow export COCO'
    )
