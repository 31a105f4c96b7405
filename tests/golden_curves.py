"""The losses of the first 20 steps of a run of each task, and those that are stored.

    python -m tests.golden_curves               # compare
    python -m tests.golden_curves --write       # write tests/golden_curves.json again

List the changed curves under "Silent changes" in CHANGELOG.md.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.kills import EPOCHS, KINDS
from tests.tiny_run import ROOT

__all__ = [
    'STORED',
    'TOLERANCES',
    'curve',
    'farthest',
    'make_data',
    'stack',
]

STORED = Path(__file__).with_name('golden_curves.json')
STEPS = 20
PICTURES, SIDE = 2, 96
"""Images per step, and their size in pixels. With one image of 64 x 64, batch norm has four values
per channel, and a difference in rounding grows tenfold with each step."""
TOLERANCES = {'classifier': 1e-3, 'detector': 1e-2, 'mask': 1e-2, 'segmentor': 5e-2}
"""Largest difference of a loss, as a share of the largest loss in its curve. With two threads
instead of one, or without AVX in torch or OpenCV, losses differ by 6e-6, 7e-4, 1e-5 and 1.5e-2. A
detector jumps when rounding changes the selected boxes, and the deepest maps of the segmentor have
nine values per channel and image."""
RATES = {'classifier': 1e-4, 'detector': 1e-5, 'mask': 1e-5, 'segmentor': 1e-4}
"""Learning rates with which differences grow slowly."""
_PACKAGES = (
    *('torch', 'numpy', 'opencv-python-headless', 'onedl-mmengine', 'onedl-mmcv'),
    *('onedl-mmdetection', 'onedl-mmsegmentation'),
)


def stack() -> dict[str, str | None]:
    """Return the versions of the packages that affect the numbers."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name).partition('+')[0]
        except PackageNotFoundError:
            found[name] = None
    return found


def make_data(folder: Path) -> Path:
    """Draw the images of the runs: 20 steps of two images each, or of a crop of each class."""
    from rexdense.datasets import make_shapes

    return make_shapes(folder / 'shapes', train=STEPS * PICTURES, val=1, size=(SIDE, SIDE))


def curve(
    kind: str, data: Path, work_dir: Path, settings: Sequence[str] = ()
) -> dict[str, list[float]]:
    """Train 20 steps and return each loss at every step.

    Args:
        kind: A key of ``TOLERANCES``.
        data: The result of :func:`make_data`.
        settings: Further config values, KEY=VALUE.
    """
    from mmengine.hooks import Hook

    from rexdense.cli import train
    from rexdense.datasets import SHAPE_CLASSES
    from rexdense.engine.config.apply import apply_run_options, apply_training_options
    from rexdense.engine.config.load import load_config
    from rexdense.engine.runner import Runner

    losses: dict[str, list[float]] = {}

    class Losses(Hook):
        def after_train_iter(
            self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
        ) -> None:
            for name, loss in outputs.items():
                if 'loss' in name:
                    losses.setdefault(name, []).append(loss.item())

    file, folder, given, values = KINDS[kind]
    is_classifier = kind == 'classifier'
    # The last one of an option counts.
    given = (*given[len(EPOCHS) :], *(() if is_classifier else ('--scale', f'{SIDE},{SIDE}')))
    options = train.parser().parse_args(
        [
            *(str(ROOT / file), '--data-root', str(data / folder), '--work-dir', str(work_dir)),
            *('--device', 'cpu', '--seed', '3', '--workers', '0', '--epochs', '1', *given),
            *('--batch-size', str(PICTURES * (len(SHAPE_CLASSES) if is_classifier else 1))),
            *('--cfg-options', *values, 'default_hooks.logger.interval=100'),
            *(f'optim_wrapper.optimizer.lr={RATES[kind]}', *settings),
        ]
    )
    config = load_config(options.config)
    device = apply_run_options(config, options, training=True)
    apply_training_options(config, options, device)
    config.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
    config.default_hooks.checkpoint = None
    runner = Runner.from_cfg(config)
    runner.register_hook(Losses())
    runner.train()
    return {name: rows[:STEPS] for name, rows in losses.items()}


def farthest(found: dict[str, list[float]], stored: dict[str, list[float]]) -> tuple[float, str]:
    """Return the largest difference between two curves, as a share of the largest loss of its name,
    with its place; infinity if they have other losses or another number of steps."""
    if {name: len(rows) for name, rows in found.items()} != {
        name: len(rows) for name, rows in stored.items()
    }:
        return float('inf'), f'{sorted(found)} beside {sorted(stored)}'
    return max(
        (abs(one - other) / max(map(abs, stored[name])), f'{name}, step {step}: {one} {other}')
        for name in stored
        for step, (one, other) in enumerate(zip(found[name], stored[name], strict=True), 1)
        if max(map(abs, stored[name])) > 0
    )


def main() -> None:
    """Compare the curves of all tasks with the stored ones, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--write', action='store_true', help=f'write {STORED.name} anew')
    options = parser.parse_args()
    stored = json.loads(STORED.read_text())['curves'] if STORED.is_file() else {}
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder))
        for kind in TOLERANCES:
            found = curve(kind, data, Path(folder, kind))
            curves[kind] = {
                name: [float(f'{loss:.6g}') for loss in rows] for name, rows in found.items()
            }
            if kind in stored:
                print(kind, *farthest(found, stored[kind]))
    if options.write:
        content = json.dumps({'stack': stack(), 'curves': curves})
        STORED.write_text(content.replace('], ', '],\n').replace('{"', '{\n"') + '\n')


if __name__ == '__main__':
    main()
