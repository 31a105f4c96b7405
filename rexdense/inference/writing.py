"""The output files of a prediction: its picture, its data, and those of single outputs."""

from pathlib import Path
from typing import Any

from rexdense.files.writing import atomic_write
from rexdense.inference.predictions import Prediction
from rexdense.tasks.prediction_files import Place
from rexdense.visualization.picture_files import write_picture


def write_prediction(
    prediction: Prediction, place: Place, folder: Path, overwrite: bool = False
) -> dict[str, Any]:
    """Write the output files of an image, and return its JSON entry.

    Args:
        place: The output files, see :func:`rexdense.tasks.prediction_files.places_of`.
        folder: The folder to which paths in the entry are relative.
        overwrite: Replace existing files.
    """
    write_picture(place.picture, prediction.draw(), overwrite)
    entry = dict(image=str(prediction.path), picture=str(place.picture.relative_to(folder)))
    entry |= prediction.describe()
    task = prediction.task
    if place.data is not None:
        content = task.encode(prediction.sample)
        atomic_write(place.data, content, overwrite, make_folder=True)
        entry['file'] = str(place.data.relative_to(folder))
    for stride, file in place.scales.items():
        content = task.encode(prediction.scales[stride].sample)
        atomic_write(file, content, overwrite, make_folder=True)
    if place.scales:
        write_picture(place.scale_picture, prediction.draw_scales(), overwrite)
    return entry
