"""The content of a report about one run: its record, its data, its predictions."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.datasets.inspection.folder import inspect_folder
from rexdense.engine.config.load import load_config
from rexdense.engine.report.measured_images import JPEG, MeasuredImages, measure_images
from rexdense.engine.report.run_record import RunRecord
from rexdense.errors import RexdenseError, UnknownName
from rexdense.shipped_configs import config_names
from rexdense.visualization.data_sheet import draw_overview
from rexdense.visualization.picture_files import encode_picture


class DataCheck(NamedTuple):
    """The inspected data of a run.

    Attributes:
        root: The folder.
        text: The output of ``rexdense prepare``.
        picture: A JPEG of plots and samples.
    """

    root: Path
    text: str
    picture: bytes


@dataclasses.dataclass
class RunContent:
    """A run in a report.

    Attributes:
        record: The record of the run.
        base: The shipped config with the same name; None if there is none.
        measured: The predictions of its best checkpoint; None if nothing is predicted.
        data: Its data; None if they are not inspected.
    """

    record: RunRecord
    base: Mapping[str, Any] | None = None
    measured: MeasuredImages | None = None
    data: DataCheck | None = None

    @property
    def name(self) -> str:
        """The name that distinguishes it from the others in a report."""
        return self.record.name


def content_of_run(
    record: RunRecord,
    images: int,
    with_data: bool,
    device: str,
    on_image: Callable[[], object] = lambda: None,
    trust_config: bool = False,
) -> RunContent:
    """Return the content of a report about a run. The notes of the record list what is missing.

    Args:
        images: Largest number of validation images to predict; 0 for none.
        with_data: Whether the data are inspected.
        on_image: Called after each predicted image.
        trust_config: Build everything that the config names for the prediction, which can run any
            code.
    """
    content = RunContent(record, shipped_config(record.config_name))
    root = data_root(record)
    # Path.is_dir raises an error if a folder above it may not be entered.
    if root is not None and not os.path.isdir(root) and (images or with_data):
        where = '' if root.is_absolute() else ' from here: start in the folder where the run was'
        record.notes.append(
            f'{record.folder}: its data, {root}, are not there{where}; without them nothing is '
            'predicted or looked through.'
        )
        return content
    if images and record.config and record.checkpoint:
        try:
            content.measured = measure_images(record, images, device, on_image, trust_config)
        except (RexdenseError, OSError) as error:
            record.notes.append(f'{record.folder}: nothing is predicted, because {error}')
    if with_data and root is not None:
        try:
            content.data = check_data(root)
        except (RexdenseError, OSError) as error:
            record.notes.append(f'{record.folder}: the data are not looked through: {error}')
    return content


def data_root(record: RunRecord) -> Path | None:
    """Return the folder of the training data of a run; None if its config names none."""
    section = record.section('train_dataloader')
    while isinstance(section.get('dataset'), dict):
        section = section['dataset']
    root = section.get('data_root')
    return Path(root) if isinstance(root, str) and root else None


def shipped_config(name: str) -> dict[str, Any] | None:
    """Return the values of the shipped config with a name; None if there is none."""
    try:
        paths = list(config_names(name).values()) if name else []
    except UnknownName:
        return None
    return load_config(paths[0]).to_dict() if len(paths) == 1 else None


def check_data(root: Path) -> DataCheck:
    """Inspect a folder of data. Raise DataError if its layout is unknown, or it cannot be read."""
    folder = inspect_folder(root)
    picture = draw_overview(folder.inspected, folder.splits, root)
    return DataCheck(root, folder.inspected.text(), encode_picture(picture, JPEG))
