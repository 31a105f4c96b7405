"""Time and memory of rexdense's backbones beside timm's, measured in turns.

    python benchmarks/backbones.py --peer PEERS/bin/python --peer-path DIR

PEERS is an environment with the same torch and with timm; DIR a folder that is added to its module
path, and whose ``torchvision_shim.py``, if there is one, is imported before timm. Without --peer,
rexdense is measured alone. Only ratios mean anything on a busy machine, see in_turns.py.
"""

import argparse
import importlib
import statistics

import torch
from in_turns import Network, Peer, add_options, ratio, serve, take_turns
from kept_memory import MODES

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


def build_timm(task: dict) -> torch.nn.Module:
    """Return timm's feature extractor with all five levels."""
    return importlib.import_module('timm').create_model(
        TIMM_NAMES[task['name']], features_only=True
    )


def measure(options: argparse.Namespace, mode: str, name: str, shape: tuple[int, ...]) -> None:
    """Print the figures of one case."""
    # Not at the top: the peer's interpreter, which reads this file too, need not have it.
    from rexdense import create_backbone

    contestants = {
        f'recompute={how}': Network(
            create_backbone(name, out_indices=(0, 1, 2, 3, 4), recompute=how), mode, shape
        )
        for how in (MODES if mode == 'train' else (None,))
    }
    if options.peer:
        contestants['timm'] = Peer(options, __file__, name=name, mode=mode, shape=shape)
    times = take_turns(contestants, options.rounds)
    print(f'{mode} {name} {"x".join(map(str, shape))}')
    for key, contestant in contestants.items():
        line = f'  {key:22s} {statistics.median(times[key]):8.1f} ms'
        line += f', {ratio(times[key], times["recompute=None"]):.2f} of plain'
        if options.peer:
            line += f', {ratio(times[key], times["timm"]):.2f} of timm'
        if contestant.kept:
            line += f'; keeps {contestant.kept:6.1f} MB'
            if options.peer:
                line += f', {contestant.kept / contestants["timm"].kept:.2f} of timm'
        print(line, flush=True)
    if options.peer:
        contestants['timm'].close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, 'timm')
    parser.add_argument('--only', default='', help='part of "infer NAME" or "train NAME"')
    options = parser.parse_args()
    if options.serve:
        return serve(options, build_timm)
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    for mode, name, shape in CASES:
        if options.only in f'{mode} {name} {"x".join(map(str, shape))}':
            measure(options, mode, name, shape)


if __name__ == '__main__':
    main()
