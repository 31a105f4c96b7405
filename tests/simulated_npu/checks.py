"""What runs on the simulated NPU, in a process where torch_npu can be imported.

    PYTHONPATH=.:tests/simulated_npu python -m pytest tests/simulated_npu/checks.py

tests/device/test_npu.py starts it so: a process has one name for a device of one's own, for good.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_npu
from mmcv.ops import CARAFE, RoIAlign, nms, soft_nms
from mmengine.config import ConfigDict
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper
from mmengine.optim.optimizer.builder import NPU_OPTIMIZERS
from torch import nn
from torch_npu.mmcv_build import add_operators
from torch_npu.tensor import transfers

from rexdense import create_backbone
from rexdense.checkpoint import read_checkpoint
from rexdense.cli import predict, test, train
from rexdense.cli.doctor import main as doctor
from rexdense.device import amp_wrapper, choose_device, device_sentence, distributed, why_absent
from rexdense.engine.config.ascend import require_ascend_operators, suit_ascend
from rexdense.engine.config.load import load_config
from rexdense.engine.self_test import self_test
from rexdense.errors import InvalidArgument
from tests.small_classification import CONFIG as CLASSIFICATION
from tests.small_classification import classification_arguments
from tests.tiny_run import (
    CONFIG,
    MASK_CONFIG,
    ROOT,
    SEGMENTATION_CONFIG,
    run_arguments,
    segmentation_arguments,
    train_arguments,
)

add_operators()
CHOSEN_BY_MMENGINE = get_device()  # before any choice of rexdense's
DETECTION = 'configs/rexnet/faster-rcnn_rexnet-1.0_fpn_1x_coco.py'
NPU = ('--device', 'npu')
DEPTH_METRICS = (['abs_rel'], ['rmse'], ['d1'])
METRICS = (['top1'], ['mean_class_accuracy'], ['calibration_error'])
FAMILIES = {
    'rexnet_1.0': dict(width_mult=0.3),
    'rexnet_lite_1.0': dict(width_mult=0.5),
    'regnety_200mf': dict(),
    'resnext50_32x4d': dict(out_indices=(0, 1)),
}


@pytest.fixture(autouse=True)
def _npu(monkeypatch):
    """Every check begins on the first device that is found."""
    assert choose_device('npu:0') == 'npu'


@pytest.mark.parametrize('requested', ['auto', 'npu', 'npu:1'])
def test_each_way_of_choosing_it_feeds_float32(requested, monkeypatch):
    monkeypatch.setattr(RoIAlign, 'forward', RoIAlign.forward.__wrapped__)
    choose_device(requested)
    assert RoIAlign.forward.in_float32


def test_mmengine_chooses_it():
    assert CHOSEN_BY_MMENGINE == 'npu' == choose_device() == get_device()
    assert device_sentence('npu') == 'Device npu'
    assert 'NpuFusedSGD' in NPU_OPTIMIZERS
    assert AmpOptimWrapper(optimizer=torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1))


def test_numbers_of_devices(monkeypatch):
    assert choose_device('npu:1') == 'npu' and torch.npu.current_device() == 1
    assert torch.ones(1, device='npu').device == torch.device('npu:1')
    assert choose_device('npu:0') == 'npu'
    with pytest.raises(InvalidArgument, match=r"^device 'npu:2' is not here; found: npu:0, npu:1,"):
        choose_device('npu:2')
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(InvalidArgument, match=r'each process takes its own: give --device npu$'):
        choose_device('npu:1')


@pytest.mark.parametrize(
    'operator',
    [
        lambda here, there: here + there,
        lambda here, there: there + here,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: here @ there.T,
        lambda here, there: here.add_(there),
        lambda here, there: torch.where(here > 0, here, there),
        lambda here, there: nn.functional.conv2d(here[None, None], there[None, None]),
    ],
)
def test_tensors_of_two_devices_do_not_mix(operator):
    here, there = torch.ones(2, 3, device='npu'), torch.ones(2, 3)
    with pytest.raises(RuntimeError, match='at least two devices, npu:0 and cpu'):
        operator(here, there)
    assert operator(here, there.npu()).is_npu


def test_what_hardware_takes_from_the_host():
    here = torch.arange(3.0, device='npu')
    with transfers() as found:
        assert (here * torch.tensor(2.0)).tolist() == [0, 2, 4]
        assert here[torch.tensor([2])].tolist() == [2]
    assert [kind for kind, _ in found.elements()] == ['to host', 'to device', 'to host']


def test_float64_is_refused():
    for make in (
        lambda: torch.zeros(1, dtype=torch.float64, device='npu'),
        lambda: torch.zeros(1, device='npu').double(),
        lambda: torch.zeros(1, dtype=torch.float64).npu(),
    ):
        with pytest.raises(RuntimeError, match='float64 is not supported on npu'):
            make()


def test_operators_of_mmcv():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]], device='npu')
    scores = torch.tensor([0.9, 0.8, 0.7], device='npu')
    found, indices = nms(boxes, scores, 0.5)
    assert found.is_npu and indices.tolist() == [0, 2]
    # mmcv's soft NMS computes on the CPU whatever the device.
    with transfers() as counted:
        assert soft_nms(boxes, scores, 0.5)[0].is_npu
    assert sum(number for (kind, _), number in counted.items() if kind == 'to host') == 2
    with pytest.raises(RuntimeError, match='carafe_forward_impl: implementation for device npu:0'):
        CARAFE(3, 1, 2)(torch.ones(1, 4, 8, 8, device='npu'), torch.ones(1, 9, 16, 16).npu())


def test_roi_align_and_nms_are_fed_float32():
    """Their kernels take nothing else, and mixed precision hands them float16."""
    features = torch.rand(1, 4, 16, 16, device='npu', dtype=torch.float16, requires_grad=True)
    rois = torch.tensor([[0.0, 1, 1, 10, 10]], device='npu')
    pooled = RoIAlign(7, 1.0)(features, rois)
    pooled.sum().backward()
    assert pooled.dtype == features.grad.dtype == torch.float16
    _, indices = nms(rois[:, 1:].half(), rois.new_ones(1).half(), 0.5)
    assert indices.tolist() == [0]
    with pytest.raises(RuntimeError, match='only float32 is supported on npu'):
        RoIAlign.forward.__wrapped__(RoIAlign(7, 1.0), features, rois)


@pytest.mark.parametrize('name', FAMILIES)
def test_forward_and_backward_of_each_family(name):
    torch.manual_seed(0)
    backbone = create_backbone(name, **FAMILIES[name]).eval()
    images = torch.rand(2, 3, 64, 64)
    gradients = {}
    for device in ('cpu', 'npu'):
        backbone.to(device).zero_grad()
        with transfers() as found:
            outputs = backbone(images.to(device))
            sum(level.square().mean() for level in outputs).backward()
        assert {level.device.type for level in outputs} == {device}
        assert dict(found) == ({} if device == 'cpu' else {next(iter(found)): 1})
        gradients[device] = [
            value.cpu()
            for level in (outputs, backbone.parameters())
            for value in (level if level is outputs else (each.grad for each in level))
        ]
    assert all(torch.equal(*pair) for pair in zip(*gradients.values(), strict=True))


class _Planted(nn.Module):
    """A backbone with a constant that its author made on the CPU."""

    def __init__(self, backbone: nn.Module, fault: str) -> None:
        super().__init__()
        self.backbone, self.fault = backbone, fault

    def forward(self, images):
        if self.fault == 'mixed':
            images = images - torch.full((3, 1, 1), 0.5)
        elif self.fault == 'waits' and images.mean() > 0:
            images = images - 0.5
        return self.backbone(images)


def test_planted_faults_are_caught():
    backbone = create_backbone('rexnet_1.0', width_mult=0.3, out_indices=(0,)).npu()
    images = torch.rand(1, 3, 32, 32, device='npu')
    with pytest.raises(RuntimeError, match='npu:0 and cpu'):
        _Planted(backbone, 'mixed')(images)
    with transfers() as found:
        _Planted(backbone, 'waits')(images)
    ((kind, line),) = found
    assert kind == 'read' and line.startswith(__file__)


def test_mixed_precision(monkeypatch):
    assert amp_wrapper('npu') == dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
    assert amp_wrapper('npu', 'bf16')['dtype'] == 'bfloat16'
    monkeypatch.setenv('SIMULATED_SOC_VERSION', '104')
    with pytest.raises(InvalidArgument, match='this npu has no bfloat16; give --amp fp16'):
        amp_wrapper('npu', 'bf16')


@pytest.mark.parametrize(
    ('variable', 'configured', 'expected'),
    [
        (None, None, False),
        (None, True, True),
        ('0', True, False),
        ('False', None, False),
        ('1', False, True),
    ],
)
def test_compile_mode(monkeypatch, variable, configured, expected):
    monkeypatch.delenv('NPUJITCompile', raising=False)
    if variable is not None:
        monkeypatch.setenv('NPUJITCompile', variable)
    config = load_config(ROOT / CLASSIFICATION)
    if configured is not None:
        config.npu = dict(jit_compile=configured)
    suit_ascend(config)
    assert torch.npu.jit_compile is expected


@pytest.mark.parametrize('jit_compile', [False, True])
@pytest.mark.parametrize('base', [DETECTION, SEGMENTATION_CONFIG, CLASSIFICATION])
def test_a_config_with_the_base_for_ascend(base, jit_compile, tmp_path, monkeypatch):
    monkeypatch.delenv('NPUJITCompile', raising=False)
    device = 'ascend_fixed_size' if jit_compile else 'ascend'
    path = tmp_path / 'mine.py'
    bases = [str(ROOT / base), str(ROOT / f'configs/_base_/devices/{device}.py')]
    path.write_text(f'_base_ = {bases}')
    config = load_config(path)
    before = config.optim_wrapper.optimizer.type
    suit_ascend(config)
    assert torch.npu.jit_compile is jit_compile
    known = f'NpuFused{before}' in NPU_OPTIMIZERS
    assert config.optim_wrapper.optimizer.type == (f'NpuFused{before}' if known else before)
    assert known == (base == DETECTION)


@pytest.mark.parametrize(
    ('launcher', 'names'),
    [
        ('pytorch', ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'LOCAL_WORLD_SIZE')),
        ('slurm', ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID', 'SLURM_TASKS_PER_NODE')),
        ('mpi', [f'OMPI_COMM_WORLD_{n}' for n in ('RANK', 'SIZE', 'LOCAL_RANK', 'LOCAL_SIZE')]),
    ],
)
def test_processes_take_a_device_each_and_talk_through_hccl(launcher, names, monkeypatch):
    joined = []
    monkeypatch.setattr(distributed, 'join', lambda backend, waiting: joined.append(backend))
    # What is set there ends with the check.
    monkeypatch.setattr(os, 'environ', dict(os.environ, MASTER_ADDR='host0', MASTER_PORT='29500'))
    os.environ.update(zip(names, '1212', strict=True))
    distributed.initialise_distributed('npu', launcher)
    assert joined == ['hccl'] and torch.npu.current_device() == 1
    os.environ.update(zip(names, '2323', strict=True))
    with pytest.raises(InvalidArgument, match='3 processes on this machine and 2 npu devices: st'):
        distributed.initialise_distributed('npu', launcher)
    assert len(joined) == 1


def test_a_compile_mode_that_is_no_switch(monkeypatch):
    monkeypatch.setenv('NPUJITCompile', 'maybe')
    why_absent.cache_clear()
    with pytest.raises(InvalidArgument, match=r'^NPUJITCompile=maybe: give 1 or 0$'):
        choose_device('npu')


def test_doctor_finds_it(capsys):
    doctor(['--no-self-test'])
    printed = capsys.readouterr().out
    assert 'npu         2: simulated NPU' in printed
    assert 'SoC version 220' in printed


def test_where_a_step_of_each_task_waits_for_values():
    """Of the code here only the U-Net's labels are read, whether they are classes and are there;
    mmdet reads the numbers of its samples."""
    with transfers() as found:
        findings = list(self_test('npu'))
    assert [finding.fault for finding in findings] == [None] * 3
    waits = {line.rpartition(':')[0] for kind, line in found if kind != 'to device'}
    own = {Path(file).relative_to(ROOT) for file in waits if file.startswith(f'{ROOT}/rexdense/')}
    assert {str(file) for file in own} == {
        'rexdense/engine/self_test.py',
        'rexdense/models/heads/segmentation.py',
        'rexdense/models/losses/label_loss.py',
    }


def _state(file):
    return read_checkpoint(file).content


def test_classifier(image_folder, tmp_path, capsys, fresh_mmengine):
    """Training, AMP, its loss scale in the file, resuming, testing, predicting; on to the CPU and
    back, with the same weights."""
    work_dir = tmp_path / 'run'
    arguments = classification_arguments(image_folder, work_dir, *NPU)
    config = str(ROOT / CLASSIFICATION)
    train.main([config, '--epochs', '1', '--seed', '0', '--amp', 'fp16', *arguments])
    content = _state(work_dir / 'epoch_1.pth')
    assert content['optimizer']['loss_scaler']['scale'] > 0 and content['ema_state_dict']
    assert {value.device.type for value in content['state_dict'].values()} == {'cpu'}
    # From npu to cpu and back; the scale of float16 goes unused on the CPU.
    more = (config, '--resume', *arguments)
    train.main([*more, '--epochs', '2', '--device', 'cpu'])
    train.main([*more, '--epochs', '3', '--amp', 'fp16'])
    assert _state(work_dir / 'epoch_3.pth')['meta']['epoch'] == 3
    capsys.readouterr()
    first = str(work_dir / 'epoch_3.pth')
    tables = []
    for device in ('cpu', 'npu'):
        test.main([config, first, *arguments, '--device', device])
        printed = [line.split() for line in capsys.readouterr().out.splitlines()]
        tables.append({words[0]: float(words[1]) for words in printed if words[0:1] in METRICS})
    assert len(tables[0]) == len(METRICS)
    # The CPU's network has its batch normalization folded: a figure may round the other way.
    assert tables[0] == pytest.approx(tables[1], abs=2e-3)
    predict.main([first, str(image_folder / 'val/red'), '--out-dir', str(tmp_path / 'out'), *NPU])
    assert len(list((tmp_path / 'out').glob('*.jpg'))) or list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize('config', [CONFIG, MASK_CONFIG])
def test_detector(shapes, tmp_path, config, capsys, fresh_mmengine):
    work_dir = tmp_path / 'run'
    train.main(train_arguments(shapes, work_dir, *NPU, '--amp', 'fp16', config=config))
    checkpoint = str(work_dir / 'epoch_1.pth')
    options = run_arguments(shapes, tmp_path / 'test', *NPU, config=config)
    test.main([str(ROOT / config), checkpoint, *options])
    assert 'bbox_mAP' in capsys.readouterr().out
    images = shapes / 'images/val'
    predict.main([checkpoint, str(images), '--out-dir', str(tmp_path / 'out'), *NPU])
    assert (tmp_path / 'out/predictions.json').is_file()


def test_segmentor(label_maps, tmp_path, capsys, fresh_mmengine):
    work_dir = tmp_path / 'run'
    arguments = segmentation_arguments(label_maps, work_dir, *NPU)
    config = str(ROOT / SEGMENTATION_CONFIG)
    train.main([config, '--epochs', '1', '--seed', '0', *arguments])
    checkpoint = str(work_dir / 'epoch_1.pth')
    test.main([config, checkpoint, *arguments])
    assert 'mIoU' in capsys.readouterr().out
    predict.main(
        [checkpoint, str(label_maps / 'images/val'), '--out-dir', str(tmp_path / 'out'), *NPU]
    )


def test_depth(shapes, tmp_path, capsys, fresh_mmengine):
    """Training in float16, resuming, measuring and predicting, with the CPU's figures."""
    work_dir = tmp_path / 'run'
    arguments = segmentation_arguments(shapes, work_dir, *NPU)
    config = str(ROOT / 'configs/depth/unet_rexnet-1.0_custom.py')
    train.main([config, '--epochs', '1', '--seed', '0', '--amp', 'fp16', *arguments])
    train.main([config, '--epochs', '2', '--amp', 'fp16', '--resume', *arguments])
    checkpoint = str(work_dir / 'epoch_2.pth')
    assert _state(checkpoint)['optimizer']['loss_scaler']['scale'] > 0
    capsys.readouterr()
    figures = []
    for device in ('cpu', 'npu'):
        test.main([config, checkpoint, *arguments, '--device', device])
        printed = [line.split() for line in capsys.readouterr().out.splitlines()]
        figures.append({words[0]: words[1] for words in printed if words[:1] in DEPTH_METRICS})
    cpu, npu = ({key: float(value) for key, value in found.items()} for found in figures)
    assert len(cpu) == len(DEPTH_METRICS) and cpu == pytest.approx(npu, rel=5e-3, abs=5e-3)
    image, out = str(shapes / 'images/val/000000.png'), tmp_path / 'out'
    predict.main([checkpoint, image, '--out-dir', str(out), '--depth-format', 'npy', *NPU])
    depth = np.load(out / 'depth/000000.npy')
    assert depth.shape == (64, 64) and (depth > 0).all()


@pytest.mark.parametrize(
    ('section', 'said'),
    [
        (dict(type='FPN_CARAFE'), "type='FPN_CARAFE' in the model, on an NPU: mmcv's build for"),
        (dict(type='mmdet.FPN_CARAFE'), "type='FPN_CARAFE' in the model, on an NPU: mmcv's build"),
        (dict(upsample_cfg=dict(type='carafe')), "type='carafe' in the model, on an NPU: mmcv's"),
        (dict(type=RoIAlign, aligned=False), 'RoIAlign with aligned=False'),
        (dict(type='mmcv.RoIAlign', aligned=False), 'RoIAlign with aligned=False'),
    ],
)
def test_absent_operators_by_each_name(section, said):
    with pytest.raises(InvalidArgument, match=f'^{said}'):
        require_ascend_operators(ConfigDict(neck=[section]))
    require_ascend_operators(ConfigDict(neck=dict(type='mmdet.FPN'), head=dict(type=RoIAlign)))


def test_absent_operators_are_refused_by_name(tmp_path, shapes):
    settings = ('model.roi_head.bbox_roi_extractor.roi_layer.aligned=False',)
    with pytest.raises(InvalidArgument, match='aligned=False'):
        train.main(train_arguments(shapes, tmp_path / 'run', *NPU, settings=settings))
    assert not (tmp_path / 'run').exists()


def test_the_version_says_that_it_is_simulated():
    assert torch_npu.__version__.endswith('.simulated')
