"""Images a second of the classification loader beside timm's, one core, measured in turns.

    python benchmarks/loader.py IMAGES --peer PEERS/bin/python --peer-path DIR

IMAGES is a folder of images, of which some are enlarged to a shorter side of 500 pixels, as
ImageNet's have, and kept in a temporary folder. Both sides train as ReXNet's recipe says (random
resized crop to 224 pixels, bilinear or bicubic; flip; rand-m9-mstd0.5; erasing 0.2) and end in
normalised float32 batches. A run is one pass over the files in the process itself, with one thread,
and its processor time counts: the files are in memory. timm is measured as its train.py loads
(uint8 batches, normalised and erased as a whole) and as its create_transform stands alone (float32
image by image). For PEERS and DIR see backbones.py, for the turns in_turns.py.
"""

import argparse
import importlib
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from in_turns import Peer, add_options, ratio, serve, take_turns

SIZE, BATCH = 224, 32
SHORTER_SIDE = 500
QUALITY = 90


class Batches:
    """A loader, timed over one pass by the processor time of its one thread."""

    def __init__(self, loader: Iterable, prepare=lambda batch: batch[0]) -> None:
        self.loader, self.prepare = loader, prepare

    def run(self) -> float:
        start = time.process_time()
        for batch in self.loader:
            images = self.prepare(batch)
        assert images.dtype == torch.float32 and images.shape[1:] == (3, SIZE, SIZE)
        return (time.process_time() - start) * 1e3


def build_timm(task: dict) -> Batches:
    """Return timm's loader over the folder."""
    timm_data = importlib.import_module('timm.data')
    dataset = timm_data.create_dataset('', root=task['folder'])
    recipe = dict(
        is_training=True,
        re_prob=0.2,
        re_mode='pixel',
        auto_augment='rand-m9-mstd0.5',
        interpolation='random',
    )
    if task['prefetcher']:
        return Batches(
            timm_data.create_loader(
                dataset,
                SIZE,
                BATCH,
                num_workers=0,
                persistent_workers=False,
                device=torch.device('cpu'),
                **recipe,
            )
        )
    dataset.transform = timm_data.create_transform(SIZE, **recipe)
    return Batches(torch.utils.data.DataLoader(dataset, BATCH, shuffle=True, drop_last=True))


def build_own(folder: Path, steps: list[dict]) -> Batches:
    """Return the loader of rexdense over the folder, and the model's preprocessor after it."""
    import cv2
    from mmengine.dataset import pseudo_collate
    from mmengine.model import ImgDataPreprocessor

    import rexdense.datasets.transforms  # noqa: F401, which registers them
    from rexdense.datasets.classification.dataset import ClassificationDataset

    cv2.setNumThreads(0)
    pipeline = [
        *steps,
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
    return Batches(loader, lambda batch: preprocessor(batch, training=True)['inputs'])


def enlarge(images: Path, folder: Path, count: int) -> int:
    """Write the images enlarged below ``folder``, in two classes; return their number."""
    import cv2

    paths = sorted(path for path in images.rglob('*') if path.suffix.lower() in ('.jpeg', '.jpg'))
    chosen = paths[:: max(1, len(paths) // count)][:count]
    if len(chosen) < BATCH:
        raise SystemExit(f'{images} has {len(chosen)} JPEG files; {BATCH} are needed at least')
    for number, path in enumerate(chosen):
        image = cv2.imread(str(path))
        factor = SHORTER_SIDE / min(image.shape[:2])
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        place = folder / 'ab'[number % 2] / f'{number:05d}.jpg'
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return len(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, 'timm')
    parser.set_defaults(threads=1)
    parser.add_argument('images', type=Path, nargs='?', help='a folder of JPEG files')
    parser.add_argument('--count', type=int, default=256, help='number of images to take')
    options = parser.parse_args()
    if options.serve:
        return serve(options, build_timm)
    if options.images is None:
        parser.error('give a folder of images')
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / 'train'
        count = enlarge(options.images, folder, options.count) // BATCH * BATCH
        crop = dict(size=SIZE, interpolation='random')
        two_steps = [
            dict(type='rexdense.LoadImage'),
            dict(type='rexdense.RandomResizedCrop', **crop),
        ]
        contestants = {
            'rexdense': build_own(folder, [dict(type='rexdense.LoadRandomResizedCrop', **crop)]),
            'rexdense, full decode': build_own(folder, two_steps),
        }
        if options.peer:
            for prefetcher in (True, False):
                name = 'timm, as train.py loads' if prefetcher else 'timm, create_transform'
                contestants[name] = Peer(
                    options, __file__, folder=str(folder), prefetcher=prefetcher
                )
        times = take_turns(contestants, options.rounds)
        for name, own in times.items():
            line = f'{name:24s} {count / statistics.median(own) * 1e3:7.1f} images/s'
            for peer in times if options.peer else ():
                if peer.startswith('timm') and not name.startswith('timm'):
                    line += f', {ratio(times[peer], own):.2f} x {peer}'
            print(line)
        for contestant in contestants.values():
            if isinstance(contestant, Peer):
                contestant.close()


if __name__ == '__main__':
    main()
