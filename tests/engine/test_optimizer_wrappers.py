"""Training in bfloat16 on a CPU."""

from typing import NamedTuple

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from torch import nn

from rexdense.cli import train
from rexdense.engine.config.apply import set_precision
from rexdense.engine.optimizer_wrappers import BFloat16OptimWrapper
from rexdense.errors import InvalidArgument
from rexdense.models import create_backbone
from rexdense.models.unet import MultiScaleDepthHead, MultiScaleUNetHead
from rexdense.visualization.scalars import read_scalars
from tests.tiny_run import train_arguments


class Layer(nn.Linear):
    """Keeps the type of what it computed."""

    def forward(self, x):
        result = super().forward(x)
        self.computed = result.dtype
        return {'levels': (result, [result])}


class Model(nn.Module):
    """A backbone and heads, one of them in a list, one holding another."""

    def __init__(self):
        super().__init__()
        self.backbone = Layer(3, 3)
        self.roi_head = nn.Module()
        self.roi_head.bbox_head = nn.ModuleList([Layer(3, 3), Layer(3, 3)])
        self.roi_head.forward = lambda x: x @ x
        self.between = Layer(3, 3)


def test_layers_are_in_bfloat16_and_all_between_in_float32():
    model = Model()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    x = torch.ones(3, 3)
    with wrapper.optim_context(model):
        for layer in (model.backbone, *model.roi_head.bbox_head):
            levels, (again,) = layer(x)['levels']
            assert layer.computed == torch.bfloat16
            assert levels.dtype == again.dtype == torch.float32
        assert model.roi_head.forward(x).dtype == torch.float32
        model.between(x)
        assert model.between.computed == torch.float32
    model.backbone(x)
    assert model.backbone.computed == torch.float32
    assert 'forward' not in vars(model.backbone)


def test_a_model_without_a_backbone_is_in_bfloat16_as_a_whole():
    model = Layer(3, 3)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        assert model(torch.ones(1, 3))['levels'][0].dtype == torch.float32
    assert model.computed == torch.bfloat16


class Annotated(NamedTuple):
    """Parts of mmseg's data samples that the U-Net heads read."""

    gt_sem_seg: PixelData
    gt_depth_map: PixelData


def test_a_config_of_mixed_precision_on_a_cpu():
    kept = dict(clip_grad=dict(max_norm=1), optimizer=dict(type='SGD', lr=0.1))
    amp = dict(type='AmpOptimWrapper', dtype='float16', loss_scale=512.0)
    config = Config(dict(optim_wrapper=amp | kept))
    with pytest.raises(InvalidArgument, match=r'^optim_wrapper.type=AmpOptimWrapper of the config'):
        set_precision(config, None, 'cpu')
    set_precision(config, None, 'cuda')
    assert config.optim_wrapper == amp | kept
    set_precision(config, 'bf16', 'cpu')
    assert config.optim_wrapper == dict(type='rexdense.BFloat16OptimWrapper') | kept


class DenseModel(nn.Module):
    """A backbone and one of the U-Net heads."""

    def __init__(self, head, **arguments):
        super().__init__()
        narrow = dict(width_mult=0.5)
        self.backbone = create_backbone('rexnet_1.0', out_indices=range(5), **narrow)
        self.decode_head = head('rexnet_1.0', overrides=narrow, output_strides=(1, 8), **arguments)


@pytest.mark.parametrize(
    ('head', 'arguments'), [(MultiScaleUNetHead, dict(num_classes=3)), (MultiScaleDepthHead, {})]
)
def test_losses_of_u_nets_are_those_of_float32_but_for_rounding(head, arguments):
    torch.manual_seed(0)
    model = DenseModel(head, **arguments)
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    images, depth = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64) * 9 + 0.5
    labels = torch.randint(3, (2, 1, 64, 64))
    samples = [
        Annotated(PixelData(data=label), PixelData(data=each))
        for label, each in zip(labels, depth, strict=True)
    ]
    whole = model.decode_head.loss(model.backbone(images), samples)
    with wrapper.optim_context(model):
        outputs = model.decode_head(model.backbone(images), (64, 64))
        rounded = model.decode_head.loss(model.backbone(images), samples)
    assert {output.dtype for output in outputs.values()} == {torch.float32}
    losses = [name for name in whole if 'loss' in name]
    assert len(losses) >= 2
    for name in losses:
        assert rounded[name].item() == pytest.approx(whole[name].item(), rel=0.05)
        assert rounded[name].item() != whole[name].item()
    sum(rounded[name] for name in losses).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.slow
def test_amp_trains_a_detector(trained, shapes, tmp_path):
    train.main(train_arguments(shapes, tmp_path / 'run', '--amp'))
    (row,), (whole,) = (
        read_scalars(folder).training for folder in (tmp_path / 'run', trained.work_dir)
    )
    # The mean of the same three iterations: rounding moves it, nothing else does.
    assert row['loss'] == pytest.approx(whole['loss'], rel=0.05)
    assert row['loss'] != whole['loss']
    state = torch.load(tmp_path / 'run/epoch_1.pth', weights_only=False)
    tensors = list(state['state_dict'].values())
    tensors += [value['exp_avg'] for value in state['optimizer']['state'].values()]
    assert torch.bfloat16 not in {tensor.dtype for tensor in tensors}
