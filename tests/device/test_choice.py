"""Choice of the device, and its mixed precision."""

import pytest

pytest.importorskip('mmengine')

import torch
from mmengine.device import get_device
from mmengine.device import utils as mmengine_device
from mmengine.registry import OPTIM_WRAPPERS

from rexdense.device import amp_wrapper, choose_device, find_device
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


@pytest.mark.parametrize('choose', [choose_device, find_device])
def test_unknown_device(choose):
    with pytest.raises(InvalidArgument, match=r"^device 'gpu': allowed are cpu, cuda, npu$"):
        choose('gpu')


def test_finding_a_device_leaves_mmengine_s():
    mmengine_device.DEVICE = 'musa'
    assert find_device('cpu') == 'cpu' and get_device() == 'musa'


def test_mixed_precision():
    assert OPTIM_WRAPPERS.get(amp_wrapper('cpu')['type']).__name__ == 'BFloat16OptimWrapper'
    for device in ('cuda', 'npu'):
        assert amp_wrapper(device) == dict(type='AmpOptimWrapper', loss_scale='dynamic')
