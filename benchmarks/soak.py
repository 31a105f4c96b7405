"""Run for a long time, sample the resources of the process, and report whether they grow.

    python -m benchmarks.soak train --minutes 180 --picture soak.png
    python -m benchmarks.soak predict --minutes 60 --picture soak.png

``train`` trains a U-Net on drawn shapes with an evaluation and a checkpoint each epoch; ``predict``
predicts images of ``--sizes`` sizes in turn. Each second it samples the memory of the process and
of the process with its children, shared memory, open files and threads. The first third is warm-up.
A slope is fitted to the means of 20 blocks of the rest, which are nearly independent, with its 95 %
interval (Student's t). The slopes of the three thirds distinguish initial growth from permanent
growth.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/unet/unet_rexnet-1.0_custom.py'
MEASURES = ('process MiB', 'all MiB', 'shared MiB', 'open files', 'threads')
"""The samples: resident memory of the process; memory of all processes without mapped files, with
pages shared by several counted once (PSS), which shows copies of the parent's pages in a dataloader
worker; and its part in shared memory (/dev/shm)."""
KINDS = ('class', 'boxes', 'masks', 'labels', 'depth')
BLOCKS = 20
STUDENT = 2.101
"""The quantile 0.975 of Student's t with BLOCKS - 2 degrees of freedom."""


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f'/proc/{pid}/task').iterdir():
            for child in (task / 'children').read_text().split():
                found += family(int(child))
    return found


def sample(pid: int) -> list[float]:
    """Return the resources of a process and its descendants, see ``MEASURES``."""
    resident = everyone = shared = files = threads = 0.0
    for each in family(pid):
        # The process may end in the meantime.
        with contextlib.suppress(OSError, KeyError):
            lines = Path(f'/proc/{each}/smaps_rollup').read_text().splitlines()[1:]
            mebibytes = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines}
            resident += mebibytes['Rss:'] if each == pid else 0
            everyone += mebibytes['Pss_Anon:'] + mebibytes['Pss_Shmem:']
            shared += mebibytes['Pss_Shmem:']
            files += len(os.listdir(f'/proc/{each}/fd'))
            threads += len(os.listdir(f'/proc/{each}/task'))
    return [resident, everyone, shared, files, threads]


def slope(seconds: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return the slope per hour, and half of its 95 % interval.

    Example:
        >>> seconds = np.arange(0, 7200, 10.0)
        >>> rise, half = slope(seconds, 5 + seconds / 3600)
        >>> round(rise, 6), round(half, 6)
        (1.0, 0.0)
    """
    blocks = [
        [part.mean() for part in np.array_split(each, BLOCKS)] for each in (seconds / 3600, values)
    ]
    hours, means = map(np.asarray, blocks)
    centred = hours - hours.mean()
    spread = (centred**2).sum()
    rise = (centred * means).sum() / spread
    rest = means - means.mean() - rise * centred
    return rise, STUDENT * np.sqrt((rest**2).sum() / (BLOCKS - 2) / spread)


def report(samples: np.ndarray, picture: Path | None) -> None:
    """Print the slope of each measure after the warm-up, and draw all samples.

    Args:
        samples: (number, 1 + measures), with seconds first.
    """
    steady = samples[len(samples) // 3 :]
    if len(steady) < 2 * BLOCKS:
        raise SystemExit(f'{len(samples)} samples are too few: give more --minutes')
    print(f'{len(samples)} samples in {samples[-1, 0] / 60:.1f} min, the first third is warm-up')
    for place, name in enumerate(MEASURES, 1):
        rise, half = slope(steady[:, 0], steady[:, place])
        low, high = steady[:, place].min(), steady[:, place].max()
        # Rounded as printed: the slope of a constant is rounding noise.
        flat = 'flat' if round(rise - half, 2) <= 0 else 'GROWS'
        thirds = [slope(part[:, 0], part[:, place])[0] for part in np.array_split(samples, 3)]
        print(
            f'{name:<13} {low:.1f} to {high:.1f}, slope {rise:+.2f} an hour, '
            f'{rise - half:+.2f} to {rise + half:+.2f}: {flat}; by thirds '
            f'{", ".join(f"{each:+.1f}" for each in thirds)}'
        )
    if picture is not None:
        draw(samples, picture)
        print(picture)


def draw(samples: np.ndarray, picture: Path) -> None:
    """Draw the samples over time."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(len(MEASURES), sharex=True, figsize=(9, 10))
    for place, (name, panel) in enumerate(zip(MEASURES, panels, strict=True), 1):
        panel.plot(samples[:, 0] / 60, samples[:, place], linewidth=0.8)
        panel.axvspan(0, samples[-1, 0] / 180, color='0.93')
        panel.set_ylabel(name)
        panel.set_ylim(0, 1.1 * max(1, samples[:, place].max()))
    panels[-1].set_xlabel('minutes; grey: warm-up')
    figure.savefig(picture, dpi=100, bbox_inches='tight')


def watch(pid: int, minutes: float, running: Callable[[], bool]) -> np.ndarray:
    """Sample a process each second until the time is over or it has ended."""
    began, samples = time.monotonic(), []
    while running() and time.monotonic() - began < minutes * 60:
        samples.append([time.monotonic() - began, *sample(pid)])
        time.sleep(1)
    return np.array(samples)


def train(minutes: float, folder: Path, workers: int) -> np.ndarray:
    """Train, and stop the run at the end; return the samples."""
    from rexdense.datasets import make_shapes

    make_shapes(folder / 'data', train=24, val=8, size=(96, 96))
    command = [
        *(sys.executable, '-m', 'rexdense', 'train', CONFIG, '--data-root', str(folder / 'data')),
        *('--work-dir', str(folder / 'run'), '--device', 'cpu', '--workers', str(workers)),
        *('--scale', '96,96', '--batch-size', '4', '--epochs', '1000000'),
        *('--cfg-options', 'train_cfg.val_interval=1'),
    ]
    with (folder / 'log.txt').open('wb') as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            while (
                process.poll() is None and b'Epoch(train)' not in (folder / 'log.txt').read_bytes()
            ):
                time.sleep(0.5)
            samples = watch(process.pid, minutes, lambda: process.poll() is None)
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()
    lines = (folder / 'log.txt').read_text().strip().splitlines()
    print(f'status {status}: {lines[-1]}')
    return samples


def predict(minutes: float, folder: Path, kind: str, sizes: int) -> np.ndarray:
    """Predict in a separate process, and stop it; return the samples."""
    process = subprocess.Popen(
        [
            *(sys.executable, '-m', 'benchmarks.soak', 'predicting', '--folder', str(folder)),
            *('--kind', kind, '--sizes', str(sizes)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdout.readline()
        samples = watch(process.pid, minutes, lambda: process.poll() is None)
        process.send_signal(signal.SIGINT)
        print(process.communicate(timeout=60)[0].strip())
    finally:
        process.kill()
        process.wait()
    return samples


def predict_for_ever(folder: Path, kind: str, sizes: int) -> None:
    """Predict images of some sizes in turn until interrupted; print their number."""
    from rexdense import Predictor
    from tests.untrained import write_untrained_models

    checkpoint = write_untrained_models(folder)[kind]
    predictor = Predictor(checkpoint, 'cpu')
    noise = np.random.default_rng(0)
    images = [
        noise.integers(0, 256, (40 + 8 * (each % 7), 64 + 8 * (each // 7), 3), np.uint8)
        for each in range(sizes)
    ]
    # A process that a shell starts in the background ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print('begins', flush=True)
    number = 0
    try:
        while True:
            predictor([images[number % len(images)]])
            number += 1
    except KeyboardInterrupt:
        print(f'{number} predictions')


def main() -> None:
    """Run the requested test and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=('train', 'predict', 'predicting'))
    parser.add_argument('--minutes', type=float, default=5)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--kind', choices=KINDS, default='class', help='of model that predicts')
    parser.add_argument('--sizes', type=int, default=4, help='of images that it is given')
    parser.add_argument('--picture', type=Path, help='file of the plot')
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what == 'predicting':
        predict_for_ever(options.folder, options.kind, options.sizes)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.what == 'train':
            samples = train(options.minutes, folder, options.workers)
        else:
            samples = predict(options.minutes, folder, options.kind, options.sizes)
    report(samples, options.picture)


if __name__ == '__main__':
    main()
