"""Flip test of segmentors: the mean prediction of an image and its mirror image."""

import pytest

pytest.importorskip('mmseg')

import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from rexdense.models.mirroring import FlipTest
from rexdense.registry import MODELS

HEIGHT, WIDTH = 33, 47


def model_of(kind, num_classes=3, **head):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    return MODELS.build(
        ConfigDict(
            type=f'mmseg.{kind}',
            data_preprocessor=dict(type='mmseg.SegDataPreProcessor', mean=[0] * 3, std=[255] * 3),
            backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0', out_indices=(0, 1, 2, 3, 4)),
            decode_head=dict(
                type='rexdense.MultiScaleUNetHead',
                arch='rexnet_1.0',
                num_classes=num_classes,
                output_strides=(1,),
                **head,
            ),
            test_cfg=dict(mode='whole'),
        )
    ).eval()


def batch(count=2):
    torch.manual_seed(1)
    images = [torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8) for _ in range(count)]
    samples = []
    for number in range(count):
        size = dict(ori_shape=(HEIGHT, WIDTH), img_shape=(HEIGHT, WIDTH))
        sample = SegDataSample(metainfo=dict(img_path=f'{number}.png', flip=False, **size))
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, HEIGHT, WIDTH))
        samples.append(sample)
    return dict(inputs=images, data_samples=samples)


@torch.no_grad()
def outputs(model, data):
    """Return the network's outputs for the images, and for the mirror images flipped back."""
    images = torch.stack(data['inputs']) / 255.0
    metas = [sample.metainfo for sample in data['data_samples']]
    return model.encode_decode(images, metas), model.encode_decode(images.flip(-1), metas).flip(-1)


@torch.no_grad()
def flip_tested(model, data):
    return FlipTest(model).test_step(data)


def test_classes_by_their_mean_probability(fresh_mmengine):
    model, data = model_of('EncoderDecoder'), batch()
    plain, mirrored = outputs(model, data)
    expected = (plain.softmax(1) + mirrored.softmax(1)) / 2
    for sample, scores in zip(flip_tested(model, data), expected, strict=True):
        torch.testing.assert_close(sample.seg_logits.data.exp(), scores)
        assert torch.equal(sample.pred_sem_seg.data[0], scores.argmax(0))
        # The sample is still that of the unflipped image.
        assert not sample.flip and sample.gt_sem_seg.shape == (HEIGHT, WIDTH)
    assert not torch.allclose(expected, plain.softmax(1))


def test_one_output_channel(fresh_mmengine):
    loss = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    model, data = model_of('EncoderDecoder', 2, out_channels=1, loss_decode=loss), batch()
    plain, mirrored = outputs(model, data)
    expected = (plain.sigmoid() + mirrored.sigmoid()) / 2
    model.decode_head.threshold = float(expected.median())
    for sample, share in zip(flip_tested(model, data), expected, strict=True):
        torch.testing.assert_close(sample.seg_logits.data, share)
        found = sample.pred_sem_seg.data
        assert torch.equal(found.bool(), share > model.decode_head.threshold)
        assert 0.2 < found.mean() < 0.8


def test_depth(fresh_mmengine):
    # mmseg takes any output of one channel for a depth.
    loss = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    model, data = model_of('DepthEstimator', 2, out_channels=1, loss_decode=loss), batch()
    plain, mirrored = outputs(model, data)
    for sample, depth in zip(flip_tested(model, data), (plain + mirrored) / 2, strict=True):
        torch.testing.assert_close(sample.pred_depth_map.data, depth)
