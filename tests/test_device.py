"""Devices: which one is taken, how it trains in mixed precision, how memory is kept."""

import os
import platform
import subprocess
import sys

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.device import get_device
from mmengine.device import utils as mmengine_device
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from rexdense.device import (
    amp_wrapper,
    bare_model,
    choose_device,
    initialise_distributed,
)
from rexdense.errors import InvalidArgument


@pytest.fixture(autouse=True)
def _device_as_before(monkeypatch):
    monkeypatch.setattr(mmengine_device, 'DEVICE', mmengine_device.DEVICE)


def test_a_device_asked_for_is_the_one_that_mmengine_uses():
    assert choose_device('cpu') == 'cpu' == get_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without CUDA')
def test_without_an_accelerator():
    assert choose_device() == 'cpu'
    for name, need in (('cuda', 'a CUDA build of torch'), ('npu', 'torch_npu and CANN')):
        with pytest.raises(InvalidArgument, match=f'^device {name!r} needs {need}.*here: cpu$'):
            choose_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_the_accelerator_is_taken_by_itself():
    assert choose_device() == 'cuda' == get_device()
    assert choose_device('cpu') == 'cpu' == get_device()


def test_unknown_device():
    with pytest.raises(InvalidArgument, match=r"^device 'gpu': allowed are cpu, cuda, npu$"):
        choose_device('gpu')


def test_mixed_precision():
    assert OPTIM_WRAPPERS.get(amp_wrapper('cpu')['type']).__name__ == 'BFloat16OptimWrapper'
    for device in ('cuda', 'npu'):
        assert amp_wrapper(device) == dict(type='AmpOptimWrapper', loss_scale='dynamic')


def test_distributed_without_torchrun(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(InvalidArgument, match='start with torchrun --nproc-per-node N'):
        initialise_distributed('cpu')


def test_bare_model():
    model = nn.Linear(1, 1)
    assert bare_model(model) is model
    assert bare_model(nn.DataParallel(model)) is model


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_freed_memory_is_kept():
    # Large blocks are given back at once by default: writing them again faults every page again.
    program = (
        'import resource, torch\n'
        'from rexdense.device import reuse_freed_memory\n'
        '{call}\n'
        'def faults():\n'
        '    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n'
        'for _ in range(10):\n'
        '    torch.ones(2**24)\n'
        'before = faults()\n'
        'for _ in range(5):\n'
        '    torch.ones(2**24)\n'
        'print(faults() - before)\n'
    )
    counts = [
        int(
            subprocess.run(
                [sys.executable, '-c', program.format(call=call)],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | {'OMP_NUM_THREADS': '1'},
            ).stdout
        )
        for call in ('', 'assert reuse_freed_memory()')
    ]
    # 64 MiB in pages of 4 KiB, or of 2 MiB where the kernel joins them.
    assert counts[0] >= 5 * 32
    assert counts[1] < 32
