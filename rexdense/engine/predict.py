"""The program that shows what a checkpoint finds in images."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dataset import Compose
from torch import nn

from rexdense.datasets.loading import UnreadableImage
from rexdense.device import choose_device, reuse_freed_memory
from rexdense.engine.command_line import Parser, fraction
from rexdense.engine.drawing import (
    Objects,
    draw_objects,
    picture_name,
    read_picture,
    write_picture,
)
from rexdense.engine.options import add_device_option
from rexdense.engine.trained_model import load_trained_model
from rexdense.engine.work_dir import prepare_output_dir
from rexdense.errors import DataError, InvalidArgument

__all__ = ['main', 'predict']

IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
RESULTS = 'predictions.json'


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(prog='tools/predict.py', description='Draw what a checkpoint finds in images.')
    result.add_argument(
        'checkpoint', type=Path, help='a .pth file of tools/train.py; it holds its config'
    )
    result.add_argument('images', type=Path, help='an image, or a folder of images')
    result.add_argument(
        '--out-dir', type=Path, required=True, help=f'folder for the pictures and {RESULTS}'
    )
    result.add_argument(
        '--score', type=fraction, default=0.3, help='lowest score that is drawn and written'
    )
    result.add_argument('--overwrite', action='store_true', help='replace what is in the folder')
    result.add_argument(
        '--trust-config',
        action='store_true',
        help='let the config in the checkpoint import any code it names; off is safe',
    )
    add_device_option(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write an annotated picture for each image, and one JSON with all objects.

    Raises:
        DataError: after all other images are done, names those that cannot be decoded.
    """
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    paths = find_images(options.images)
    pictures = [options.out_dir / picture_name(path) for path in paths]
    _check_places(paths, pictures, options.out_dir, options.overwrite)
    device = choose_device(options.device)
    model, pipeline, classes, _ = load_trained_model(
        options.checkpoint, device, options.trust_config
    )
    results, unreadable = [], []
    for path, picture in zip(paths, pictures, strict=True):
        try:
            objects = predict(model, pipeline, path, options.score)
        except UnreadableImage as error:
            unreadable.append(error)
            continue
        write_picture(picture, draw_objects(read_picture(path), objects, classes))
        results.append(dict(image=str(path), objects=_described(objects, classes)))
        print(f'{path}: {len(objects.labels)} objects -> {picture}')
    if results:
        _write_json(options.out_dir / RESULTS, dict(classes=list(classes), images=results))
        print(options.out_dir / RESULTS)
    if unreadable:
        raise DataError(
            f'{len(unreadable)} of {len(paths)} images left out: '
            f'{"; ".join(str(error) for error in unreadable[:3])}'
        )


def _check_places(
    paths: Sequence[Path], pictures: Sequence[Path], folder: Path, overwrite: bool
) -> None:
    """Check that nothing is overwritten unasked, and that the folder can be written.

    Raises:
        InvalidArgument: it is not so.
    """
    if any(path.parent.resolve() == folder.resolve() for path in paths):
        raise InvalidArgument(f'--out-dir {folder} is the folder of the images; choose another')
    there = [path for path in (folder / RESULTS, *pictures) if path.exists()]
    if there and not overwrite:
        raise InvalidArgument(f'{there[0]} exists: give another --out-dir, or --overwrite')
    prepare_output_dir(folder, '--out-dir')


def _write_json(path: Path, content: dict) -> None:
    aside = path.with_name(f'.{path.name}.part')
    aside.write_text(json.dumps(content, indent=1))
    aside.replace(path)


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


def predict(model: nn.Module, pipeline: Compose, path: Path, lowest_score: float) -> Objects:
    """Return the objects in an image file, in its own pixels.

    Raises:
        UnreadableImage: the image cannot be decoded.
    """
    sample = pipeline(dict(img_path=str(path), img_id=0))
    with torch.no_grad():
        result = model.test_step(
            dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
        )[0]
    return Objects.predicted(result, lowest_score)


def _described(objects: Objects, classes: Sequence[str]) -> list[dict]:
    return [
        dict(
            label=classes[label],
            score=round(float(score), 4),
            box=[round(float(value), 2) for value in box],
        )
        for label, score, box in zip(objects.labels, objects.scores, objects.boxes, strict=True)
    ]
