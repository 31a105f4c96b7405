"""Kill training runs at random moments, resume them, and compare them with undisturbed ones.

    python benchmarks/kills.py --kills 20

Each run is tiny and uses real images: a classifier, a detector, a detector with masks, a segmentor
that counts epochs and one that counts iterations. The run, with all its processes, is killed by
SIGKILL and resumed until it ends. Every second kill waits until a checkpoint is being written. When
a run has ended, another one starts, until the number of kills is reached. Weights, averages, the
optimizer's state and the logged losses must be equal to the last bit. The undisturbed run uses the
command. The killed runs are forks of a process that has only done the command's imports, so a kill
costs the time of a run without the imports.

    python benchmarks/kills.py --loaders 20

kills a dataloader worker instead. The run must report it in one line and end with status 1 within
half a minute.
"""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
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
IMPORTED = [
    'rexdense.cli.train',
    'mmdet.datasets',
    'mmdet.models',
    'mmseg.datasets',
    'mmseg.models',
]
LONGEST_END = 30
"""Seconds within which a run must end that has lost a dataloader worker."""
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


def command(
    kind: str, data: Path, work_dir: Path, resume: bool = False, *more: str, workers: int = 1
) -> list[str]:
    """Return the command line of a run, after ``rexdense``."""
    config, folder, options, values = KINDS[kind]
    if not config:
        config = data.parent / 'by_iteration.py'
        config.write_text(BY_ITERATION.format(root=ROOT))
    return [
        *('train', str(config), '--data-root', str(data / folder)),
        *('--work-dir', str(work_dir), '--device', 'cpu', '--seed', '3'),
        *('--workers', str(workers), *options, '--checkpoint-every', '1i'),
        *(*(['--resume'] if resume else []), *more),
        *('--cfg-options', 'default_hooks.logger.interval=1', *values),
    ]


def log_of(work_dir: Path) -> Path:
    """Return the file with the output of the runs in a folder."""
    return work_dir.with_suffix('.txt')


def _as_command(arguments: list[str], log: Path) -> None:
    """Do in a fork what the command does in its own process."""
    os.setsid()
    os.chdir(ROOT)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(written, stream)
    sys.argv = ['rexdense', *arguments]
    from rexdense.cli.main import run

    run()


@contextlib.contextmanager
def started(arguments: list[str], work_dir: Path) -> Iterator[BaseProcess]:
    """Start a run in its own session, and leave none of its processes behind."""
    work_dir.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(IMPORTED)
    process = context.Process(target=_as_command, args=(arguments, log_of(work_dir)))
    process.start()
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # It may not have started its session yet.
        process.kill()
        process.join()


def writing(work_dir: Path) -> bool:
    """Return whether a checkpoint is being written."""
    return any('.pth.' in name and name.endswith('.part') for name in os.listdir(work_dir))


def has_saved_since(work_dir: Path, begun: float) -> bool:
    """Return whether a checkpoint is newer than a time."""
    for path in work_dir.glob('step_*.pth'):
        # The run may delete it in the meantime.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime > begun:
                return True
    return False


def wait_for(process: BaseProcess, event: Callable[[], bool]) -> bool:
    """Wait for an event; return False if the process ends first."""
    while process.is_alive() and not event():
        time.sleep(0.001)
    return process.is_alive()


def kill(process: BaseProcess, work_dir: Path, in_writing: bool, draw: random.Random) -> str | None:
    """Kill a run at a random moment of its training. Return its phase, or None if it has ended.

    A sixth of the kills come before training.
    """
    begun = time.time()
    if draw.random() < 1 / 6:
        time.sleep(draw.uniform(0, 3))
    else:
        if not wait_for(process, lambda: has_saved_since(work_dir, begun)):
            return None
        time.sleep(draw.uniform(0, 1.5))
        if in_writing and not wait_for(process, lambda: writing(work_dir)):
            return None
        time.sleep(draw.uniform(0, 0.02))
    if not process.is_alive():
        return None
    was_writing = writing(work_dir)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    return 'writing' if was_writing else 'another'


def require_success(status: int | None, work_dir: Path) -> None:
    """Check the status of a run that has ended.

    Raises:
        SystemExit: the run failed; the message is its last output.
    """
    if status:
        raise SystemExit(f'{work_dir.name}: {log_of(work_dir).read_text()[-2000:]}')


def checkpoint_of(work_dir: Path) -> Path:
    """Return the last checkpoint of a run that has ended."""
    return work_dir / Path((work_dir / 'last_checkpoint').read_text()).name


def show(kind: str, kills: int, folder: Path, draw: random.Random) -> bool:
    """Kill runs of a kind and print how they ended; return whether all were equal."""
    data = folder / 'data'
    whole = folder / kind.replace(' ', '_')
    whole.mkdir(parents=True)
    with open(log_of(whole), 'ab') as log:
        status = subprocess.run(
            [sys.executable, '-m', 'rexdense', *command(kind, data, whole)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        ).returncode
    require_success(status, whole)
    done, all_equal = 0, True
    for number in itertools.count():
        if done >= kills:
            break
        work_dir, moments = whole.with_name(f'{whole.name}_{number}'), []
        while not moments or moments[-1] is not None:
            left = kills - done - len(moments)
            arguments = command(kind, data, work_dir, any(work_dir.glob('*.pth')))
            with started(arguments, work_dir) as process:
                moments.append(kill(process, work_dir, left % 2 == 0, draw) if left else None)
                if moments[-1] is None:
                    process.join()
                    require_success(process.exitcode, work_dir)
        found = differences(checkpoint_of(whole), checkpoint_of(work_dir))
        done, all_equal = done + len(moments) - 1, all_equal and not found
        said = f'{len(moments) - 1} kills, {moments.count("writing")} of them while writing'
        verdict = f'not equal: {", ".join(found[:3])}' if found else 'equal'
        print(f'{kind}: {said}: {verdict}', flush=True)
    return all_equal


def loaders_of(pid: int) -> list[int]:
    """Return the dataloader workers of a run."""
    with contextlib.suppress(OSError):
        return list(map(int, Path(f'/proc/{pid}/task/{pid}/children').read_text().split()))
    return []


def show_loaders(kills: int, folder: Path, draw: random.Random) -> bool:
    """Kill a dataloader worker of each run at a random moment; return whether all reported it."""
    seconds, faults = [], []
    for number in range(kills):
        work_dir = folder / f'loaders_{number}'
        more = ('--epochs', '10000')
        arguments = command('classifier', folder / 'data', work_dir, False, *more, workers=2)
        with started(arguments, work_dir) as process:
            wait_for(process, lambda pid=process.pid: len(loaders_of(pid)) > 1)
            time.sleep(draw.uniform(0, 6))
            os.kill(draw.choice(loaders_of(process.pid)), signal.SIGKILL)
            began = time.monotonic()
            process.join(120)
            seconds.append(time.monotonic() - began)
            lines = log_of(work_dir).read_text().splitlines()
            said = [line for line in lines if 'which loads images, ' in line]
            if process.exitcode != 1 or len(said) != 1 or 'Traceback' in '\n'.join(lines):
                faults.append(f'status {process.exitcode}: {lines[-1:]}')
    verdict = f'{len(faults)} otherwise: {faults[:3]}' if faults else 'each told in a line'
    print(f'loaders: {kills} kills, ended after {max(seconds):.1f} s at most: {verdict}')
    return not faults and max(seconds) < LONGEST_END


def main() -> None:
    """Kill runs of all kinds; end with status 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=20, help='of each kind')
    parser.add_argument('--loaders', type=int, metavar='KILLS', help='of loader processes instead')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parser.add_argument('--seed', type=int, default=0, help='of the moments')
    options = parser.parse_args()
    from rexdense.datasets import make_shapes

    # Ends without leaving a run behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as folder:
        make_shapes(Path(folder, 'data'), train=6, val=2, size=(64, 64))
        draw = random.Random(options.seed)
        os.environ['PYTHONPATH'] = str(ROOT)
        if options.loaders:
            sys.exit(0 if show_loaders(options.loaders, Path(folder), draw) else 1)
        equal = [show(kind, options.kills, Path(folder), draw) for kind in options.kinds]
    sys.exit(0 if all(equal) else 1)


if __name__ == '__main__':
    main()
