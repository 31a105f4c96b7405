"""Kill training runs at random moments, let them go on, compare them with undisturbed ones.

    python benchmarks/kills.py --kills 20

Each run is tiny and of real images: a classifier, a detector, one with masks, a segmentor that
counts epochs and one that counts iterations. It is killed (SIGKILL, to all its processes) and gone
on with until it ends; every second kill waits for a checkpoint that is being written. When a run
has ended, another begins, until the kills asked for are done. Equal are weights, averages, the
optimizer's state and the logged losses, to the last bit.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
COMPARED = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')
UNTIMED = ('time', 'data_time', 'memory', 'eta')

NARROW_HEADS = (
    *('model.roi_head.bbox_head.fc_out_channels=32', 'model.train_cfg.rpn_proposal.nms_pre=50'),
    *('model.train_cfg.rpn_proposal.max_per_img=20', 'model.train_cfg.rcnn.sampler.num=16'),
    *('model.test_cfg.rpn.nms_pre=50', 'model.test_cfg.rpn.max_per_img=20'),
)
NARROW = 'model.backbone.width_mult=0.3'
UNET = 'configs/unet/unet_rexnet-1.0_custom.py'
BY_ITERATION = """
_base_ = ['{root}/configs/unet/unet_rexnet-1.0_custom.py']
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=9, val_interval=3)
train_dataloader = dict(sampler=dict(type='InfiniteSampler'))
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=9, by_epoch=False)]
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False), checkpoint=dict(by_epoch=False, interval=3)
)
log_processor = dict(by_epoch=False)
"""
EPOCHS = ('--epochs', '3')
KINDS: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    'classifier': (
        *('configs/classification/rexnet-1.0_custom.py', 'crops'),
        *((*EPOCHS, '--scale', '32,32', '--batch-size', '8'), (NARROW,)),
    ),
    'detector': (
        *('configs/rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco.py', '.'),
        *((*EPOCHS, '--scale', '64,64', '--batch-size', '2'), NARROW_HEADS),
    ),
    'mask': (
        *('configs/rexnet/mask-rcnn_rexnet-1.0_fpn_custom_coco.py', '.'),
        *((*EPOCHS, '--scale', '64,64', '--batch-size', '2'), NARROW_HEADS),
    ),
    'segmentor': (UNET, '.', (*EPOCHS, '--scale', '64,64', '--batch-size', '2'), ()),
    'segmentor by iteration': ('', '.', ('--scale', '64,64', '--batch-size', '2'), ()),
}
"""Config, folder below the data, options and values of the config."""


def leaves(value: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the tensors and numbers of a nested structure with their paths."""
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    else:
        yield path, value
        return
    for name, part in parts:
        yield from leaves(part, f'{path}/{name}')


def logged(work_dir: Path) -> list[Any]:
    """Return the rows that the runs in a folder have logged, without times."""
    from rexdense.visualization.scalars import read_scalars

    return [
        [{key: value for key, value in row.items() if key not in UNTIMED} for row in rows]
        for rows in read_scalars(work_dir)
    ]


def differences(first: Path, second: Path) -> list[str]:
    """Return where two checkpoints, and the logs beside them, differ."""
    from rexdense.checkpoint import read_checkpoint

    found = []
    contents = [read_checkpoint(path).content for path in (first, second)]
    for part in COMPARED:
        one, other = (dict(leaves(content.get(part, {}))) for content in contents)
        found += [
            f'{part}{name}'
            for name in sorted(one.keys() | other.keys())
            if name not in one or name not in other or not same(one[name], other[name])
        ]
    logs = [logged(path.parent) for path in (first, second)]
    if json.dumps(logs[0]) != json.dumps(logs[1]):
        found.append('log')
    return found


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same to the last bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    return one == other or (one != one and other != other)


def command(kind: str, data: Path, work_dir: Path, resume: bool) -> list[str]:
    """Return the command line of a run."""
    config, folder, options, values = KINDS[kind]
    if not config:
        config = data.parent / 'by_iteration.py'
        config.write_text(BY_ITERATION.format(root=ROOT))
    return [
        *(
            sys.executable,
            '-m',
            'rexdense',
            'train',
            str(config),
            '--data-root',
            str(data / folder),
        ),
        *('--work-dir', str(work_dir), '--device', 'cpu', '--seed', '3', '--workers', '1'),
        *(*options, '--checkpoint-every', '1i', *(['--resume'] if resume else [])),
        *('--cfg-options', 'default_hooks.logger.interval=1', *values),
    ]


@contextlib.contextmanager
def started(kind: str, data: Path, work_dir: Path, resume: bool) -> Iterator[subprocess.Popen]:
    """Start a run in a session of its own, and leave none of it behind."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with open(work_dir.with_suffix('.txt'), 'ab') as log:
        process = subprocess.Popen(
            command(kind, data, work_dir, resume),
            cwd=ROOT,
            env=os.environ | {'PYTHONPATH': str(ROOT)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def writing(work_dir: Path) -> bool:
    """Return whether a checkpoint is being written."""
    return any('.pth.' in name and name.endswith('.part') for name in os.listdir(work_dir))


def has_saved_since(work_dir: Path, begun: float) -> bool:
    """Return whether a checkpoint is younger than a time."""
    for path in work_dir.glob('step_*.pth'):
        # The run may delete it meanwhile.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime > begun:
                return True
    return False


def wait_for(process: subprocess.Popen, event: Callable[[], bool]) -> bool:
    """Wait for an event; return False where the process ends first."""
    while process.poll() is None and not event():
        time.sleep(0.001)
    return process.poll() is None


def kill(
    process: subprocess.Popen, work_dir: Path, in_writing: bool, draw: random.Random
) -> str | None:
    """Kill a run at a random moment of its training; return what it was at, None if it has ended.

    A sixth of the kills come before it trains.
    """
    begun = time.time()
    if draw.random() < 1 / 6:
        time.sleep(draw.uniform(0, 8))
    else:
        if not wait_for(process, lambda: has_saved_since(work_dir, begun)):
            return None
        time.sleep(draw.uniform(0, 1.5))
        if in_writing and not wait_for(process, lambda: writing(work_dir)):
            return None
        time.sleep(draw.uniform(0, 0.02))
    if process.poll() is not None:
        return None
    was_writing = writing(work_dir)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return 'writing' if was_writing else 'another'


def require_success(process: subprocess.Popen, work_dir: Path) -> None:
    """Wait for the end of a run.

    Raises:
        SystemExit: it failed; what it has written last.
    """
    if process.wait():
        raise SystemExit(f'{work_dir.name}: {work_dir.with_suffix(".txt").read_text()[-2000:]}')


def checkpoint_of(work_dir: Path) -> Path:
    """Return the last checkpoint of a run that has ended."""
    return work_dir / Path((work_dir / 'last_checkpoint').read_text()).name


def show(kind: str, kills: int, folder: Path, draw: random.Random) -> bool:
    """Kill runs of a kind, print how they ended; return whether all were equal."""
    data = folder / 'data'
    whole = folder / kind.replace(' ', '_')
    with started(kind, data, whole, resume=False) as process:
        require_success(process, whole)
    done, all_equal = 0, True
    for number in itertools.count():
        if done >= kills:
            break
        work_dir, moments = whole.with_name(f'{whole.name}_{number}'), []
        while not moments or moments[-1] is not None:
            left = kills - done - len(moments)
            with started(kind, data, work_dir, any(work_dir.glob('*.pth'))) as process:
                moments.append(kill(process, work_dir, left % 2 == 0, draw) if left else None)
                if moments[-1] is None:
                    require_success(process, work_dir)
        found = differences(checkpoint_of(whole), checkpoint_of(work_dir))
        done, all_equal = done + len(moments) - 1, all_equal and not found
        said = f'{len(moments) - 1} kills, {moments.count("writing")} of them while writing'
        verdict = f'not equal: {", ".join(found[:3])}' if found else 'equal'
        print(f'{kind}: {said}: {verdict}', flush=True)
    return all_equal


def main() -> None:
    """Kill runs of all kinds; end with status 1 if one is not equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=20, help='of each kind')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    options = parser.parse_args()
    from rexdense.datasets import make_shapes

    # An end that leaves no run behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        make_shapes(Path(folder, 'data'), train=6, val=2, size=(64, 64))
        draw = random.Random(options.seed)
        equal = [show(kind, options.kills, Path(folder), draw) for kind in options.kinds]
    sys.exit(0 if all(equal) else 1)


if __name__ == '__main__':
    main()
