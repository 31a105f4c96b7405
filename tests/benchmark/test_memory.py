"""The memory counters see what they should."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from rexdense.benchmark.memory import bytes_kept, most_resident_bytes

MEGABYTE = 1 << 20


class Exp(torch.autograd.Function):
    """Keeps its result with autograd's knowledge, or hidden from it."""

    @staticmethod
    def forward(ctx, x, how):
        result, ctx.shape = x.exp(), x.shape
        if how == 'saved':
            ctx.save_for_backward(result)
        elif how == 'closure':
            ctx.function = lambda: result
        elif how == 'attribute':
            ctx.result = result
        return result.mean()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.expand(ctx.shape), None


class Net(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how, self.scale = how, nn.Parameter(torch.ones(()))

    def forward(self, x):
        return Exp.apply(x * self.scale, self.how)


@pytest.mark.parametrize(
    ('how', 'kept'), [('nothing', 0), ('saved', 1), ('closure', 1), ('attribute', 1)]
)
def test_storages_count_what_anything_holds(how, kept):
    images = torch.zeros(MEGABYTE // 4)
    assert kept * MEGABYTE <= bytes_kept(Net(how), images) <= kept * MEGABYTE + 100


def test_what_was_there_before_does_not_count():
    images = torch.zeros(MEGABYTE)
    assert bytes_kept(nn.Identity(), images) == 0
    assert bytes_kept(nn.Flatten(0), images) == 0


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_resident_memory_agrees_with_the_storages():
    program = """
import os
import torch
from rexdense.benchmark.memory import bytes_kept
from rexdense.device import return_freed_memory
from tests.benchmark.test_memory import Net

def resident_bytes():
    return_freed_memory()
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

for how in ('nothing', 'saved', 'closure', 'attribute'):
    images, net = torch.zeros(2, 1, 64, 1 << 17), Net(how)
    net(images[:2, :, :64, :64]).backward()  # what is loaded at the first use
    before = resident_bytes()
    output = net(images)
    print(resident_bytes() - before, end=' ')
    del output
    print(bytes_kept(net, images))
"""
    environment = os.environ | {'MALLOC_MMAP_THRESHOLD_': '65536', 'PYTHONPATH': os.getcwd()}
    found = subprocess.run(
        [sys.executable, '-c', program], env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    for line in found.stdout.splitlines():
        resident, storages = map(int, line.split())
        assert abs(resident - storages) < 4 * MEGABYTE


def test_the_size_of_the_process_that_started_this_one_does_not_count():
    held = torch.ones(2**27)  # 512 MB
    code = 'from rexdense.benchmark.memory import most_resident_bytes as most; print(most())'
    said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert 1e7 < int(said.stdout) < held.nbytes < most_resident_bytes()
