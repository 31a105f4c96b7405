"""A sheet of validation images with predictions beside annotations."""

from pathlib import Path

import numpy as np
import torch

from rexdense.device import bare_model
from rexdense.tasks import Example, task_of
from rexdense.visualization.picture_files import read_picture, write_picture

EXAMPLES = 6
WIDEST = 20
"""Largest ratio of width to height of an image that is drawn."""


def draw_prediction_sheet(runner, path: str | Path) -> Path | None:
    """Draw validation images from the whole set, with the truth and the trained model's
    predictions.

    Returns:
        The picture's path. None if the runner has no validation set, only strips, or a kind of
        model that cannot be drawn.
    """
    if runner.val_loop is None:
        return None
    dataset = runner.val_dataloader.dataset
    task = task_of(runner.cfg.model, dataset.metainfo)
    if task is None:
        return None
    model = bare_model(runner.model).eval()
    examples = []
    for index in np.linspace(0, len(dataset) - 1, min(EXAMPLES, len(dataset))).astype(int).tolist():
        packed = dataset[index]
        with torch.no_grad():
            (sample,) = model.test_step(
                dict(inputs=[packed['inputs']], data_samples=[packed['data_samples']])
            )
        image = read_picture(sample.img_path, sample.ori_shape)
        if image.shape[1] > WIDEST * image.shape[0]:
            # At the height of a tile it would exceed the width limit of a file.
            continue
        examples.append(Example(image, sample, dataset.get_data_info(index)))
    if not examples:
        return None
    return write_picture(path, task.draw_sheet(examples), overwrite=True)
