"""The U-Net decode head for depth: targets, masks, losses, predictions."""

import math

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from rexdense.errors import InvalidArgument
from rexdense.models.heads.depth import MultiScaleDepthHead, resize_depth
from rexdense.registry import MODELS

STRIDES = (1, 2, 4, 8, 16, 32)


@pytest.fixture(autouse=True)
def _scope(fresh_mmengine):
    init_default_scope('mmseg')


def estimator(**head):
    torch.manual_seed(0)
    small = dict(width_mult=0.5)
    model = dict(
        type='mmseg.DepthEstimator',
        data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size_divisor=32, seg_pad_val=0),
        backbone=dict(type='rexdense.ReXNet', out_indices=(0, 1, 2, 3, 4), **small),
        decode_head=dict(
            type='rexdense.MultiScaleDepthHead', arch='rexnet_1.0', overrides=small, **head
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    return MODELS.build(ConfigDict(model))


def sample(depth):
    result = SegDataSample()
    result.set_data(dict(gt_depth_map=PixelData(data=depth[None])))
    shape = tuple(depth.shape)
    result.set_metainfo(dict(ori_shape=shape, img_shape=shape, pad_shape=shape))
    return result


def batch(height=64, width=96, images=2):
    torch.manual_seed(0)
    depth = torch.rand(images, height, width) * 5 + 1
    return torch.rand(images, 3, height, width), depth


def losses_of(model, images, depth):
    return model.loss(images, [sample(each) for each in depth])


def total(losses):
    return sum(value for name, value in losses.items() if 'loss' in name)


def test_a_coarse_pixel_is_the_mean_of_what_was_measured():
    depth = torch.zeros(1, 1, 4, 6)
    depth[0, 0, :2, :2] = torch.tensor([[1.0, 0], [3, 5]])
    depth[0, 0, 3, 5] = 7
    assert resize_depth(depth, (2, 3)).tolist() == [[[[3, 0, 0], [0, 0, 7]]]]
    assert resize_depth(depth, (4, 6)) is depth
    # The share of the area counts, also if sizes do not divide.
    flat = torch.full((1, 1, 65, 97), 2.5)
    flat[..., ::3, ::2] = 0
    torch.testing.assert_close(resize_depth(flat, (33, 49)), torch.full((1, 1, 33, 49), 2.5))


def test_depth_is_within_the_range_and_starts_in_the_middle():
    model = estimator(min_depth=0.1, max_depth=10.0)
    with torch.no_grad():
        features = model.extract_feat(torch.rand(1, 3, 65, 97))
        outputs = model.decode_head(features, (65, 97))
        assert list(outputs) == list(STRIDES)
        for stride, depth in outputs.items():
            assert tuple(depth.shape[2:]) == (math.ceil(65 / stride), math.ceil(97 / stride))
            assert 0.1 < depth.min() <= depth.max() < 10
        assert outputs[1].log().mean() == pytest.approx(0, abs=0.3)
        for bias, end in ((-100, 0.1), (100, 10)):
            model.decode_head.decoder.outputs['4'].bias.fill_(bias)
            depth = model.decode_head(features)[4]
            torch.testing.assert_close(depth, torch.full_like(depth, end))


def test_each_output_has_both_losses_and_gradients():
    model = estimator()
    losses = losses_of(model, *batch())
    assert set(losses) == {
        *(
            f'decode.{kind}_stride_{stride}'
            for kind in ('loss_silog', 'loss_gradient')
            for stride in STRIDES
        ),
        'decode.abs_rel',
    }
    total(losses).backward()
    assert all(value.grad is not None for value in model.parameters())


def test_silog_of_a_scale_is_mmsegs():
    model = estimator(scale_weights={stride: 0.5 for stride in STRIDES})
    images, depth = batch()
    losses = losses_of(model, images, depth)
    outputs = model(images, mode='tensor')
    target = resize_depth(depth[:, None], (16, 24))
    for name, scale in (('silog', 1), ('gradient', 0.5)):
        kind = {'silog': 'mmseg.SiLogLoss', 'gradient': 'rexdense.DepthGradientLoss'}[name]
        expected = MODELS.build(dict(type=kind))(outputs[4], target) * scale * 0.5
        torch.testing.assert_close(losses[f'decode.loss_{name}_stride_4'], expected)
    error = ((outputs[1] - depth[:, None]).abs() / depth[:, None]).mean()
    torch.testing.assert_close(losses['decode.abs_rel'], error)


@pytest.mark.parametrize('value', [0, -1, math.nan, math.inf, 255])
def test_unmeasured_pixels_do_not_count(value):
    model = estimator(max_depth=10.0).eval()
    images, depth = batch()
    masked = depth.clone()
    masked[:, ::2, 1::3] = value
    zeroed = depth.clone()
    zeroed[:, ::2, 1::3] = 0
    losses, expected = losses_of(model, images, masked), losses_of(model, images, zeroed)
    torch.testing.assert_close(losses, expected, rtol=0, atol=0)
    total(losses).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_an_image_without_depth_adds_nothing():
    model = estimator().eval()
    images, depth = batch()
    depth[1] = math.nan
    losses = losses_of(model, images, depth)
    alone = losses_of(model, images[:1], depth[:1])
    torch.testing.assert_close(total(losses), total(alone) / 2)
    total(losses).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_batch_without_depth_is_no_loss():
    model = estimator()
    images, depth = batch()
    losses = losses_of(model, images, depth * 0)
    total(losses).backward()
    assert total(losses) == 0
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


SILOG = dict(type='mmseg.SiLogLoss')
GRADIENT = dict(type='rexdense.DepthGradientLoss')


@pytest.mark.parametrize('loss', [SILOG, GRADIENT, [SILOG, GRADIENT]], ids=str)
@pytest.mark.parametrize('stride', STRIDES)
@pytest.mark.parametrize('measured', [1, 7, 64 * 96])
def test_a_prediction_that_is_right_to_the_last_bit_has_a_finite_gradient(loss, stride, measured):
    head = MultiScaleDepthHead('rexnet_1.0', loss_decode=loss, output_strides=(1,))
    depth = torch.zeros(2, 1, 64, 96)
    depth.flatten(1)[:, :measured] = 3.1
    target = resize_depth(depth, (64 // stride, 96 // stride))
    output = target.where(target > 0, 2).requires_grad_()
    losses = head.scale_losses(output, depth)
    sum(losses.values()).backward()
    assert all(value == 0 for value in losses.values())
    assert output.grad.isfinite().all()


@pytest.mark.parametrize('loss', [SILOG, GRADIENT], ids=str)
def test_one_measured_pixel_trains_every_parameter_finitely(loss):
    model = estimator(loss_decode=loss)
    images, depth = batch()
    masked = torch.zeros_like(depth)
    masked[0, 40, 30] = 5
    losses = losses_of(model, images, masked)
    total(losses).backward()
    assert total(losses).isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_the_finest_scale_is_predicted_at_the_size_of_the_image():
    model = estimator().eval()
    images, depth = batch(65, 97)
    with torch.no_grad():
        found = model.predict(images, [sample(each) for each in depth])
        finest = model.decode_head(model.extract_feat(images), (65, 97))[1]
    for each, expected in zip(found, finest, strict=True):
        torch.testing.assert_close(each.pred_depth_map.data, expected)
        assert each.pred_depth_map.shape == (65, 97)


def test_padding_of_a_batch_does_not_count():
    model = estimator()
    images, depth = batch(50, 70, images=1)
    data = dict(inputs=[images[0] * 255], data_samples=[sample(depth[0])])
    packed = model.data_preprocessor(data, training=True)
    target = model.decode_head.stack_targets(packed['data_samples'])
    assert tuple(target.shape) == (1, 1, 64, 96)
    torch.testing.assert_close(target[0, 0, :50, :70], depth[0])
    assert not target[..., 50:, :].any() and not target[..., 70:].any()


def test_refused_arguments():
    with pytest.raises(InvalidArgument, match='min_depth=0: give a number above 0'):
        MultiScaleDepthHead('rexnet_1.0', min_depth=0)
    with pytest.raises(InvalidArgument, match=r'output_strides=\(64,\): allowed are 1, 2, 4'):
        MultiScaleDepthHead('rexnet_1.0', output_strides=(64,))
    for name in ('num_classes', 'out_channels'):
        with pytest.raises(InvalidArgument, match=f'{name}=2: depth has one channel'):
            MultiScaleDepthHead('rexnet_1.0', **{name: 2})
