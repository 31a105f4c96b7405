"""Two hosts, which are network namespaces of this machine with a cable between them, train what one
process does."""

import contextlib
import ctypes
import os
import shutil
import subprocess

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import train
from tests.engine.test_two_processes import (
    CLASSIFIER,
    common_options,
    furthest,
    train_options,
)
from tests.forked import Forked, launch, rexdense

ADDRESSES = ('10.83.0.1', '10.83.0.2')
PORT = 29517
CLONE_NEWNET = 0x40000000  # linux/sched.h


def ip(*arguments):
    subprocess.run(['ip', *arguments], check=True, capture_output=True)


@pytest.fixture
def hosts():
    """The names of two namespaces, each with an address and its end of a cable, called wire."""
    if shutil.which('ip') is None:
        pytest.skip('ip is not installed (iproute2)')
    names = [f'rexdense-{os.getpid()}-{number}' for number in range(2)]
    with contextlib.ExitStack() as stack:
        try:
            for name in names:
                ip('netns', 'add', name)
                stack.callback(ip, 'netns', 'delete', name)
            peer = ('peer', 'name', 'wire', 'netns', names[1])
            ip('link', 'add', 'wire', 'netns', names[0], 'type', 'veth', *peer)
        except subprocess.CalledProcessError as error:
            pytest.skip(f'no network namespaces here: {error.stderr.decode().strip()}')
        for name, address in zip(names, ADDRESSES, strict=True):
            ip('-n', name, 'address', 'add', f'{address}/24', 'dev', 'wire')
            for device in ('lo', 'wire'):
                ip('-n', name, 'link', 'set', device, 'up')
        yield names


def _on_host(name: str, rank: int, command: list[str]) -> None:
    """Run a command in a namespace, by torchrun's agent, as tools/dist_train.sh starts it there."""
    with open(f'/run/netns/{name}') as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    launch(
        rexdense,
        command,
        min_nodes=2,
        max_nodes=2,
        nproc_per_node=1,
        max_restarts=0,
        run_id='tests',
        rdzv_backend='static',
        rdzv_endpoint=f'{ADDRESSES[0]}:{PORT}',
        rdzv_configs=dict(rank=rank),
    )


@pytest.mark.slow
def test_two_hosts_train_what_one_process_does(hosts, tmp_path, image_folder):
    config = tmp_path / 'classifier.py'
    config.write_text(CLASSIFIER)
    common = common_options(config, 'classifier', image_folder)
    # The folder of the second host is its own, as where no disk is shared.
    processes = [
        Forked(
            _on_host,
            host,
            rank,
            ['train', *train_options(common, tmp_path / f'host{rank}', 2), '--launcher', 'pytorch'],
            GLOO_SOCKET_IFNAME='wire',
        )
        for rank, host in enumerate(hosts)
    ]
    try:
        for process in processes:
            assert process.wait(200) == 0, process.stdout + process.stderr
    finally:
        for process in processes:
            process.kill()
    train.main(train_options(common, tmp_path / 'one', 4))
    files = [tmp_path / name / 'epoch_2.pth' for name in ('one', 'host0')]
    assert furthest(*files) < 1e-5
    assert not list((tmp_path / 'host1').glob('*.pth'))
