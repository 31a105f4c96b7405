"""Choice of the device, and its mixed precision."""

import sys

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.device import get_device
from mmengine.device import utils as mmengine_device
from mmengine.registry import OPTIM_WRAPPERS

from rexdense.device import (
    amp_wrapper,
    choose_device,
    device_sentence,
    find_device,
    why_absent,
)
from rexdense.errors import InvalidArgument


@pytest.fixture(autouse=True)
def _device_as_before(monkeypatch):
    for name in ('DEVICE', 'IS_NPU_AVAILABLE'):
        monkeypatch.setattr(mmengine_device, name, getattr(mmengine_device, name))


def test_a_device_asked_for_is_the_one_that_mmengine_uses():
    assert choose_device('cpu') == 'cpu' == get_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without CUDA')
def test_without_an_accelerator():
    for name in (None, 'auto'):
        assert choose_device(name) == 'cpu' == get_device()
    for name, why in (('cuda', 'built without CUDA'), ('npu', 'torch_npu is not installed')):
        with pytest.raises(InvalidArgument, match=f'^device {name!r} is not here: .*{why}; .*cpu'):
            choose_device(name)
        assert why in device_sentence('cpu')


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs CUDA')
def test_the_accelerator_is_taken_by_itself():
    assert choose_device() == 'cuda' == get_device()
    assert choose_device('cpu') == 'cpu' == get_device()


def test_finding_a_device_leaves_mmengine_s():
    mmengine_device.DEVICE = 'musa'
    assert find_device('cpu') == 'cpu' and get_device() == 'musa'


@pytest.mark.parametrize('choose', [choose_device, find_device])
def test_unknown_device(choose):
    for name in ('gpu', 'cuda:', 'cuda:x', 'cpu:0', 'npu:-1', ''):
        with pytest.raises(InvalidArgument, match=f'^device {name!r}: allowed are auto, cpu, cuda'):
            choose(name)


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('raise OSError("libhccl.so: cannot open shared object file")', 'OSError: libhccl.so: ca'),
        ('import nothing_like_it', "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ('', 'ModuleNotFoundError'),
    ],
)
def test_why_torch_npu_does_not_work(tmp_path, monkeypatch, source, expected):
    """mmengine takes the CPU and says nothing."""
    (tmp_path / 'torch_npu.py').write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'torch_npu', raising=False)
    why_absent.cache_clear()
    try:
        assert f'import torch_npu failed ({expected}' in device_sentence('cpu')
        with pytest.raises(InvalidArgument, match='import torch_npu failed'):
            choose_device('npu')
    finally:
        why_absent.cache_clear()
        sys.modules.pop('torch_npu', None)


def test_mixed_precision():
    assert OPTIM_WRAPPERS.get(amp_wrapper('cpu')['type']).__name__ == 'BFloat16OptimWrapper'
    assert amp_wrapper('cpu', 'bf16') == amp_wrapper('cpu')
    for device in ('cuda', 'npu'):
        for asked in (None, 'fp16'):
            assert amp_wrapper(device, asked) == dict(
                type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic'
            )
    with pytest.raises(InvalidArgument, match=r'^--amp fp16 needs an accelerator; on a CPU give'):
        amp_wrapper('cpu', 'fp16')
