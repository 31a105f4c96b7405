"""Measure training in 1, 2 and 4 processes of this machine, or print what to expect of a cluster.

    python benchmarks/scaling.py measure
    python benchmarks/scaling.py expect --images 64 --step-seconds 0.12256 --parameters 4.1e6

It measures the step of a classifier in one process, the seconds in which two processes sum its
gradients, and then the steps of all processes together. The last are compared with the model in
rexdense/benchmark/scaling.py.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from rexdense import create_classifier
from rexdense.benchmark.scaling import Cluster, Training, expect
from rexdense.cli.parser import Parser, positive, run_command
from rexdense.text_table import text_table

STEPS, WARM_UP, SUMS = 8, 2, 8
SETS = {'COCO': 118_287, 'ImageNet': 1_281_167}
"""Training images: COCO train2017, ImageNet-1k."""


def work(name: str, images: int, size: int) -> None:
    """Print the measurements of the first of several processes as JSON."""
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', timeout=timedelta(seconds=120))
    torch.manual_seed(0)
    network = create_classifier(name)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    model = network
    if distributed.get_world_size() > 1:
        model = DistributedDataParallel(network)
    batch, labels = torch.randn(images, 3, size, size), torch.arange(images)
    seconds = []
    for _ in range(WARM_UP + STEPS):
        distributed.barrier()
        began = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(batch), labels).backward()
        optimizer.step()
        distributed.barrier()
        seconds.append(time.perf_counter() - began)
    gradients = torch.cat([each.grad.flatten() for each in network.parameters()])
    sums = []
    for _ in range(WARM_UP + SUMS):
        distributed.barrier()
        began = time.perf_counter()
        distributed.all_reduce(gradients)
        distributed.barrier()
        sums.append(time.perf_counter() - began)
    if distributed.get_rank() == 0:
        found = dict(
            step_seconds=statistics.median(seconds[WARM_UP:]),
            sum_seconds=statistics.median(sums[WARM_UP:]),
            parameters=gradients.numel(),
        )
        print(json.dumps(found), flush=True)
    distributed.destroy_process_group()


def measure(options: argparse.Namespace) -> None:
    """Print measured and expected rates for several numbers of processes."""
    found = {}
    for processes in sorted({1, 2, *options.processes}):
        launcher = ('torch.distributed.run', '--standalone', f'--nproc-per-node={processes}')
        command = [sys.executable, '-m', *launcher, __file__, 'work']
        command += ['--network', options.network, '--images', str(options.images)]
        done = subprocess.run(
            [*command, '--size', str(options.size)], stdout=subprocess.PIPE, text=True, check=True
        )
        found[processes] = json.loads(done.stdout.splitlines()[-1])
    one, two = found[1], found[2]
    training = Training(options.images, one['step_seconds'], one['parameters'])
    link = 4 * one['parameters'] / two['sum_seconds']
    cores = len(os.sched_getaffinity(0))
    rows = [['processes', 'measured', 'expected']]
    for processes in sorted(options.processes):
        cluster = Cluster(processes, inside=link, latency=0, per_machine=processes, at_once=cores)
        low, high, *_ = expect(training, cluster)
        rate = processes * options.images / found[processes]['step_seconds']
        rows.append([str(processes), f'{rate:.1f}', f'{low:.1f} to {high:.1f}'])
    print(text_table(rows), '(images a second)', sep='\n')
    print(json.dumps(dict(images=options.images, cores=cores, found=found)))


def show(options: argparse.Namespace) -> None:
    """Print the expectation for 1, 8 and 64 cards."""
    rows = [['cards', 'images/s', f'minutes an epoch of {options.set}', 'GB a card', 'limit']]
    training = Training(
        options.images,
        options.step_seconds,
        int(options.parameters),
        options.optimizer,
        options.activation_mb * 1e6,
        options.loader_rate,
        options.zero,
    )
    for cards in options.cards:
        cluster = Cluster(cards, cores_per_card=options.cores_per_card)
        found = expect(training, cluster)
        least, most = (seconds / 60 for seconds in found.seconds_for(SETS[options.set]))
        rate = f'{found.lowest:.0f} to {found.highest:.0f}'
        limit = 'loader' if found.by_loader else 'cards'
        minutes = f'{least:.1f} to {most:.1f}'
        rows.append([str(cards), rate, minutes, f'{found.card_bytes / 1e9:.2f}', limit])
    print(text_table(rows))


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    parser = Parser(description=__doc__.partition('\n\n')[0])
    parts = parser.add_subparsers(dest='part', required=True)
    for name in ('measure', 'work'):
        part = parts.add_parser(name)
        part.add_argument('--network', default='regnety_200mf')
        part.add_argument('--images', type=positive(int), default=8)
        part.add_argument('--size', type=positive(int), default=128)
    parts.choices['measure'].add_argument(
        '--processes', type=positive(int), nargs='+', default=[1, 2, 4]
    )
    part = parts.add_parser('expect')
    part.add_argument('--images', type=positive(int), required=True, help='a step on a card')
    part.add_argument('--step-seconds', type=positive(float), required=True, help='of one card')
    part.add_argument('--parameters', type=positive(float), required=True)
    part.add_argument('--set', choices=tuple(SETS), default='ImageNet')
    part.add_argument('--optimizer', default='SGD')
    part.add_argument(
        '--activation-mb', type=positive(float, or_zero=True), default=0, help='of an image'
    )
    part.add_argument(
        '--loader-rate',
        type=positive(float, or_zero=True),
        default=0,
        help='images a second of a core',
    )
    part.add_argument('--cores-per-card', type=positive(int), default=8)
    part.add_argument('--zero', action='store_true')
    part.add_argument('--cards', type=positive(int), nargs='+', default=[1, 8, 64])
    options = parser.parse_args(arguments)
    if options.part == 'work':
        work(options.network, options.images, options.size)
    else:
        dict(measure=measure, expect=show)[options.part](options)


if __name__ == '__main__':
    run_command(main, sys.argv[1:], 'scaling.py')
