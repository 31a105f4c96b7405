"""Loaders of classification training on one core, with batches of ReXNet's recipe.

The steps are random resized crops of 224 pixels, bilinear or bicubic; flip; rand-m9-mstd0.5;
erasing 0.2; and normalised float32 batches. timm is measured as its train.py loads (uint8 batches,
normalised and erased as a whole) and with only its create_transform (float32 image by image).
"""

import importlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from rexdense.benchmark.workloads import Workload
from rexdense.errors import InvalidArgument

SIZE, BATCH = 224, 32
SHORTER_SIDE = 500
"""Shorter side of the images in pixels, as of most ImageNet images."""
QUALITY = 90


def prepare(task: dict[str, Any]) -> Workload:
    """Return the loader of a task for ``folder``, which has a folder per class. For 'timm',
    ``prefetcher`` loads as its train.py does; for rexdense, ``full_decode`` uses two steps."""
    if task['framework'] == 'timm':
        return _timm(task['folder'], bool(task.get('prefetcher')))
    return _rexdense(Path(task['folder']), bool(task.get('full_decode')))


def _passes(loader: Iterable, prepare: Callable = lambda batch: batch[0]) -> Workload:
    """Return passes over a loader, timed by the CPU time of its only thread: the files are in
    memory."""

    def work() -> int:
        images = 0
        for batch in loader:
            pixels = prepare(batch)
            images += len(pixels)
        assert pixels.dtype == torch.float32 and pixels.shape[1:] == (3, SIZE, SIZE)
        return images

    return Workload(work, lambda images: dict(images=images), time.process_time)


def _timm(folder: str, prefetcher: bool) -> Workload:
    timm_data = importlib.import_module('timm.data')
    dataset = timm_data.create_dataset('', root=folder)
    recipe = dict(
        is_training=True,
        re_prob=0.2,
        re_mode='pixel',
        auto_augment='rand-m9-mstd0.5',
        interpolation='random',
    )
    if prefetcher:
        options = dict(num_workers=0, persistent_workers=False, device=torch.device('cpu'))
        return _passes(timm_data.create_loader(dataset, SIZE, BATCH, **options, **recipe))
    dataset.transform = timm_data.create_transform(SIZE, **recipe)
    return _passes(torch.utils.data.DataLoader(dataset, BATCH, shuffle=True, drop_last=True))


def _rexdense(folder: Path, full_decode: bool) -> Workload:
    import cv2
    from mmengine.dataset import pseudo_collate
    from mmengine.model import ImgDataPreprocessor

    import rexdense.datasets.transforms  # noqa: F401, which registers them
    from rexdense.datasets.classification.dataset import ClassificationDataset

    cv2.setNumThreads(0)
    crop = dict(size=SIZE, interpolation='random')
    first = [dict(type='rexdense.LoadRandomResizedCrop', **crop)]
    if full_decode:
        first = [dict(type='rexdense.LoadImage'), dict(type='rexdense.RandomResizedCrop', **crop)]
    pipeline = [
        *first,
        dict(type='RandomFlip', prob=0.5),
        dict(type='rexdense.RandAugment', policy='rand-m9-mstd0.5'),
        dict(type='rexdense.RandomErasing', probability=0.2),
        dict(type='rexdense.PackClassification'),
    ]
    dataset = ClassificationDataset(str(folder.parent), folder.name, pipeline=pipeline)
    loader = torch.utils.data.DataLoader(
        dataset, BATCH, shuffle=True, drop_last=True, collate_fn=pseudo_collate
    )
    preprocessor = ImgDataPreprocessor(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True
    )
    return _passes(loader, lambda batch: preprocessor(batch, training=True)['inputs'])


def enlarged(images: Path, count: int) -> dict[str, bytes]:
    """Return JPEG files by name, in two classes: evenly chosen images of a folder, enlarged to a
    shorter side of 500 pixels.

    Raises:
        InvalidArgument: the folder has too few images, or one cannot be read.
    """
    import cv2

    if not images.is_dir():
        raise InvalidArgument(f'{images} is no folder: give one of JPEG files')
    paths = sorted(path for path in images.rglob('*') if path.suffix.lower() in ('.jpeg', '.jpg'))
    chosen = paths[:: max(1, len(paths) // count)][:count]
    if len(chosen) < BATCH:
        raise InvalidArgument(
            f'{images} and --count {count} give {len(chosen)} JPEG files: a batch has {BATCH}'
        )
    files = {}
    for number, path in enumerate(chosen):
        image = cv2.imread(str(path))
        if image is None:
            raise InvalidArgument(f'{path} cannot be read as an image: take it out of the folder')
        factor = SHORTER_SIDE / min(image.shape[:2])
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        _, coded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        files[f'{"ab"[number % 2]}/{number:05d}.jpg'] = coded.tobytes()
    return files
