"""The program that shows what a checkpoint finds in images."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import Compose
from torch import nn

from rexdense.cli.options import add_device_option
from rexdense.cli.parser import Parser, fraction, parse_scales
from rexdense.datasets.images.loading import ImageError
from rexdense.device import choose_device, device_sentence, reuse_freed_memory
from rexdense.engine.trained_model import TrainedModel, load_trained_model
from rexdense.errors import DataError, InvalidArgument
from rexdense.files import atomic_write
from rexdense.tasks import DEPTH_ENDINGS, Depth, Detection, Example, Task, task_of
from rexdense.tasks.prediction_files import (
    OVERVIEW,
    RESULTS,
    Place,
    check_folder,
    check_places,
    find_images,
    places_of,
    write_results,
)
from rexdense.tasks.scale_outputs import chosen_strides, one_output
from rexdense.visualization.picture_files import read_picture, write_picture

__all__ = ['main', 'predict']


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(prog='rexdense predict', description='Draw what a checkpoint finds in images.')
    result.add_argument(
        'checkpoint', type=Path, help='a .pth file of rexdense train; it holds its config'
    )
    result.add_argument('images', type=Path, help='an image, or a folder of images')
    result.add_argument(
        '--out-dir', type=Path, required=True, help=f'folder for the pictures and {RESULTS}'
    )
    result.add_argument(
        '--score',
        type=fraction,
        help='detectors: lowest score that is drawn and written; default: 0.3',
    )
    result.add_argument(
        '--scales',
        type=parse_scales,
        metavar='all|1,2,4',
        help='models with several outputs: write what those at these strides say, too',
    )
    result.add_argument(
        '--depth-format',
        choices=[ending[1:] for ending in DEPTH_ENDINGS],
        help='depth estimators: png has 16 bits in millimetres, npy float32 in metres; '
        'default: png',
    )
    result.add_argument('--overwrite', action='store_true', help='replace what is in the folder')
    result.add_argument(
        '--trust-config',
        action='store_true',
        help='build whatever the config in the checkpoint names, which can run any code; off, '
        'only registered classes of models and transforms',
    )
    add_device_option(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a picture of what is found in each image, the label map or the depth map where the
    model makes one, and a JSON about all.

    Raises:
        DataError: after all other images are done, names those that cannot be decoded.
    """
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    paths = find_images(options.images)
    check_folder(paths, options.out_dir)
    device = choose_device(options.device)
    if options.device == 'auto':
        print(device_sentence(device))
    trained = load_trained_model(options.checkpoint, device, options.trust_config)
    task = _task(trained, options)
    strides = (
        [] if options.scales is None else chosen_strides(trained.model, options.scales or None)
    )
    places = places_of(paths, options.out_dir, task, strides)
    inputs = [options.checkpoint, *paths]
    files = check_places(places, options.out_dir, options.overwrite, inputs, task)
    overview = [options.out_dir / OVERVIEW] if task.overview_size else []
    # Named before they are there, so that what is left of an interrupted run may be replaced.
    planned = [*files, *overview, *(file for place in places for file in place.files())]
    write_results(options.out_dir, task, [], planned)
    results, unreadable, examples = [], [], []
    for path, place in zip(paths, places, strict=True):
        try:
            described, example = _predict_and_write(
                trained, task, path, place, options.out_dir, options.overwrite
            )
        except ImageError as error:
            unreadable.append(error)
            continue
        results.append(described)
        files += place.files()
        if len(examples) < task.overview_size:
            examples.append(example)
    if examples:
        files += [write_picture(overview[0], task.draw_overview(examples), options.overwrite)]
    written = write_results(options.out_dir, task, results, files)
    for file in [*(overview if examples else ()), *([written] if results else ())]:
        print(file)
    if unreadable:
        raise DataError(
            f'{len(unreadable)} of {len(paths)} images left out: '
            f'{"; ".join(str(error) for error in unreadable[:3])}'
        )


def _task(trained: TrainedModel, options: argparse.Namespace) -> Task:
    """Return the task of the model, as the options want it.

    Raises:
        InvalidArgument: an option is for other kinds of models, or there is none for this one.
    """
    metainfo = dict(classes=trained.classes, palette=trained.palette)
    task = task_of(trained.config.model, metainfo)
    if task is None:
        raise InvalidArgument(
            f'{options.checkpoint} holds a {trained.config.model.type}: only detectors, '
            'segmentors, depth estimators and classifiers can be shown'
        )
    for option, value, kind, name in (
        ('--score', options.score, Detection, 'detectors'),
        ('--depth-format', options.depth_format, Depth, 'depth estimators'),
    ):
        if value is not None and not isinstance(task, kind):
            raise InvalidArgument(f'{option} goes with {name}; leave it out')
    if options.score is not None:
        task.lowest_score = options.score
    if options.depth_format is not None:
        task.data_ending = f'.{options.depth_format}'
    return task


def _predict_and_write(
    trained: TrainedModel, task: Task, path: Path, place: Place, folder: Path, overwrite: bool
) -> tuple[dict[str, Any], Example]:
    """Write the results of one image; print a line and return what the JSON says of it, and what
    was predicted.

    Raises:
        ImageError: the image cannot be used.
    """
    sample = predict(trained.model, trained.pipeline, path)
    image = read_picture(path)
    write_picture(place.picture, task.draw(image, sample), overwrite)
    said, described = task.describe(sample)
    result = dict(image=str(path), picture=str(place.picture.relative_to(folder)), **described)
    if place.data is not None:
        atomic_write(place.data, task.encode(sample), overwrite, make_folder=True)
        result['file'] = str(place.data.relative_to(folder))
    samples = {}
    for stride, file in place.scales.items():
        with one_output(trained.model, stride):
            samples[stride] = predict(trained.model, trained.pipeline, path)
        atomic_write(file, task.encode(samples[stride]), overwrite, make_folder=True)
    if samples:
        write_picture(place.scale_picture, task.draw_scales(image, samples), overwrite)
    print(f'{path}: {said} -> {place.picture}')
    return result, Example(image, sample, {})


def predict(model: nn.Module, pipeline: Compose, path: Path) -> Any:
    """Return the data sample of an image file with what the model predicts, in its own pixels.

    Raises:
        ImageError: the image cannot be used.
    """
    sample = pipeline(dict(img_path=str(path), img_id=0))
    with torch.no_grad():
        (result,) = model.test_step(
            dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
        )
    return result
