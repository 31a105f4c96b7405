"""The program that shows what a checkpoint finds in images."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import nn

from rexdense.device import DEVICES, choose_device, reuse_freed_memory
from rexdense.engine.command_line import Parser
from rexdense.engine.drawing import Objects, draw_objects, read_picture, write_picture
from rexdense.engine.runner import require_same_tensors
from rexdense.engine.training_file import read_training_file
from rexdense.errors import DataError, InvalidArgument
from rexdense.registry import MODELS

__all__ = ['load_detector', 'main', 'predict']

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
        '--score', type=float, default=0.3, help='lowest score that is drawn and written'
    )
    result.add_argument(
        '--device', choices=DEVICES, help='default: the accelerator that is found, else cpu'
    )
    result.add_argument('--overwrite', action='store_true', help='replace what is in the folder')
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Write an annotated picture for each image, and one JSON with all objects."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    paths = find_images(options.images)
    if (options.out_dir / RESULTS).exists() and not options.overwrite:
        raise InvalidArgument(
            f'{options.out_dir / RESULTS} exists: give another --out-dir, or --overwrite'
        )
    if any(path.parent.resolve() == options.out_dir.resolve() for path in paths):
        raise InvalidArgument(
            f'--out-dir {options.out_dir} is the folder of the images; choose another'
        )
    model, pipeline, classes = load_detector(options.checkpoint, choose_device(options.device))
    results = []
    for path in paths:
        objects = predict(model, pipeline, path, options.score)
        picture = options.out_dir / path.with_suffix('.png').name
        write_picture(picture, draw_objects(read_picture(path), objects, classes))
        results.append(dict(image=str(path), objects=_described(objects, classes)))
        print(f'{path}: {len(objects.labels)} objects -> {picture}')
    aside = options.out_dir / f'.{RESULTS}.part'
    aside.write_text(json.dumps(dict(classes=list(classes), images=results), indent=1))
    aside.replace(options.out_dir / RESULTS)
    print(options.out_dir / RESULTS)


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


def load_detector(checkpoint: Path, device: str) -> tuple[nn.Module, Compose, tuple[str, ...]]:
    """Build the detector of a training checkpoint from the config that lies in it.

    Returns:
        The model in evaluation mode, the pipeline that makes its input from a path, and the class
        names.

    Raises:
        CheckpointUnreadable: the file is no checkpoint, or holds no config.
        CheckpointMismatch: its tensors are not those of its config.
    """
    file = read_training_file(checkpoint)
    config = file.config
    init_default_scope(config.get('default_scope', 'mmdet'))
    # The weights come from the checkpoint itself.
    config.model.backbone.pop('init_cfg', None)
    model = MODELS.build(config.model)
    require_same_tensors(model, file.state, str(checkpoint))
    model.load_state_dict(file.state)
    # After init_default_scope, so that the pipeline's plain names are found in the host's registry.
    pipeline = Compose(
        [
            step
            for step in config.test_dataloader.dataset.pipeline
            if 'Annotations' not in step['type']
        ]
    )
    return model.to(device).eval(), pipeline, file.classes


def predict(model: nn.Module, pipeline: Compose, path: Path, lowest_score: float) -> Objects:
    """Return the objects in an image file, in its own pixels.

    Raises:
        DataError: the image cannot be decoded.
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
