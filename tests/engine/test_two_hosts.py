"""Two hosts, which are network namespaces of this machine with a cable between them, train what one
process does."""

import contextlib
import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import train
from tests.engine.test_two_processes import (
    CLASSIFIER,
    common_options,
    furthest,
    train_options,
)
from tests.tiny_run import ROOT

ADDRESSES = ('10.83.0.1', '10.83.0.2')
PORT = '29517'


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


@pytest.mark.slow
def test_two_hosts_train_what_one_process_does(hosts, tmp_path, image_folder):
    config = tmp_path / 'classifier.py'
    config.write_text(CLASSIFIER)
    common = common_options(config, 'classifier', image_folder)
    # The folder of the second host is its own, as where no disk is shared.
    processes = [
        subprocess.Popen(
            [
                *('ip', 'netns', 'exec', host, 'sh', 'tools/dist_train.sh', str(config), '1'),
                *train_options(common, tmp_path / f'host{rank}', 2)[1:],
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ
            | dict(NNODES='2', NODE_RANK=str(rank), MASTER_ADDR=ADDRESSES[0], PORT=PORT)
            | dict(GLOO_SOCKET_IFNAME='wire', OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT))
            | dict(PYTHON=sys.executable),
        )
        for rank, host in enumerate(hosts)
    ]
    try:
        printed = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], printed
    train.main(train_options(common, tmp_path / 'one', 4))
    files = [tmp_path / name / 'epoch_2.pth' for name in ('one', 'host0')]
    assert furthest(*files) < 1e-5
    assert not list((tmp_path / 'host1').glob('*.pth'))
