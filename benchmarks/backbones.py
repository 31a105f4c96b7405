"""Time and memory of rexdense's backbones beside timm's, measured in turns.

    python benchmarks/backbones.py --peer PEERS/bin/python --peer-path DIR

PEERS is an environment with the same torch and with timm; DIR a folder that is added to its module
path, and whose ``torchvision_shim.py``, if there is one, is imported before timm. Without --peer,
rexdense is measured alone. Each side has its own process, and one waits while the other runs; the
ratios are medians over the rounds, each of rexdense's time to timm's in the same round. Only ratios
mean anything on a busy machine.
"""

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

TIMM_NAMES = {
    'rexnet_1.0': 'rexnet_100',
    'regnetx_3.2gf': 'regnetx_032',
    'resnext50_32x4d': 'resnext50_32x4d',
}
CASES = [
    ('infer', 'rexnet_1.0', (8, 3, 224, 224)),
    ('infer', 'regnetx_3.2gf', (8, 3, 224, 224)),
    ('infer', 'resnext50_32x4d', (8, 3, 224, 224)),
    ('infer', 'rexnet_1.0', (1, 3, 800, 1216)),
    ('train', 'rexnet_1.0', (8, 3, 224, 224)),
]
MODES = (False, 'activations', True)


def build(side: str, name: str, with_cp: bool | str) -> torch.nn.Module:
    """Return a feature extractor with all five levels."""
    if side == 'timm':
        return importlib.import_module('timm').create_model(TIMM_NAMES[name], features_only=True)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    rexdense = importlib.import_module('rexdense')
    return rexdense.create_backbone(name, out_indices=(0, 1, 2, 3, 4), with_cp=with_cp)


def kept_megabytes(model: torch.nn.Module, image: torch.Tensor) -> float:
    """Return what autograd keeps for the backward pass, parameters left out."""
    kept = {}

    def pack(tensor):
        if not isinstance(tensor, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        levels = model(image)
    del levels
    return sum(kept.values()) / 1e6


class Contestant:
    """One network in this process: ``run()`` returns the milliseconds of one pass or step."""

    def __init__(self, side: str, mode: str, name: str, shape: tuple[int, ...], with_cp) -> None:
        self.image = torch.randn(shape)
        self.model = build(side, name, with_cp).train(mode == 'train')
        self.mode = mode
        self.kept = kept_megabytes(self.model, self.image) if mode == 'train' else None

    def run(self) -> float:
        start = time.perf_counter()
        if self.mode == 'infer':
            with torch.inference_mode():
                self.model(self.image)
        else:
            sum(level.float().mean() for level in self.model(self.image)).backward()
            self.model.zero_grad(set_to_none=True)
        return (time.perf_counter() - start) * 1e3


class Peer:
    """A contestant in a process of another interpreter."""

    def __init__(self, options: argparse.Namespace, mode: str, name: str, shape) -> None:
        task = json.dumps(dict(mode=mode, name=name, shape=shape, threads=options.threads))
        command = [options.peer, __file__, '--serve', task, '--peer-path', options.peer_path]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.kept = self._read()

    def _read(self) -> float | None:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f'{self.process.args[0]} ended; its message stands above')
        return json.loads(line)

    def run(self) -> float:
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve(task: dict, path: str) -> None:
    """Be a peer: run once for each line on standard input."""
    answers, sys.stdout = sys.stdout, sys.stderr  # packages may print while they are imported
    torch.set_num_threads(task['threads'])
    sys.path.insert(0, path)
    if (Path(path) / 'torchvision_shim.py').exists():
        importlib.import_module('torchvision_shim')
    contestant = Contestant('timm', task['mode'], task['name'], tuple(task['shape']), False)
    print(json.dumps(contestant.kept), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(contestant.run()), file=answers, flush=True)


def measure(options: argparse.Namespace, mode: str, name: str, shape: tuple[int, ...]) -> None:
    """Print the figures of one case."""
    contestants = {
        f'with_cp={with_cp}': Contestant('rexdense', mode, name, shape, with_cp)
        for with_cp in (MODES if mode == 'train' else (False,))
    }
    if options.peer:
        contestants['timm'] = Peer(options, mode, name, shape)
    times = {key: [] for key in contestants}
    for _ in range(options.rounds + 2):
        for key, contestant in contestants.items():
            times[key].append(contestant.run())
    print(f'{mode} {name} {"x".join(map(str, shape))}')
    plain = times['with_cp=False'][2:]
    for key, contestant in contestants.items():
        own = times[key][2:]
        line = f'  {key:20s} {statistics.median(own):8.1f} ms, {ratio(own, plain):.2f} of plain'
        if options.peer:
            line += f', {ratio(own, times["timm"][2:]):.2f} of timm'
        if contestant.kept:
            line += f'; keeps {contestant.kept:6.1f} MB'
            if options.peer:
                line += f', {contestant.kept / contestants["timm"].kept:.2f} of timm'
        print(line, flush=True)
    if options.peer:
        contestants['timm'].close()


def ratio(times: list[float], reference: list[float]) -> float:
    """Return the median ratio of times that were taken in turns."""
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--peer', help='interpreter of an environment with timm')
    parser.add_argument('--peer-path', default='.', help="added to the peer's module path")
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--only', default='', help='part of "infer NAME" or "train NAME"')
    parser.add_argument('--serve', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(json.loads(options.serve), options.peer_path)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    for mode, name, shape in CASES:
        if options.only in f'{mode} {name} {"x".join(map(str, shape))}':
            measure(options, mode, name, shape)


if __name__ == '__main__':
    main()
