"""The U-Net decode head for segmentation: labels at every scale, losses, predictions."""

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmseg')

from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from rexdense.arch import list_backbones
from rexdense.errors import InvalidArgument, UnknownName
from rexdense.models.heads.segmentation import MultiScaleUNetHead, resize_labels
from rexdense.registry import MODELS

CROSS_ENTROPY = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
NARROW = dict(arch='rexnet_1.0', overrides=dict(width_mult=0.5))


@pytest.fixture(autouse=True)
def _scope(fresh_mmengine):
    init_default_scope('mmseg')


def segmentor(
    num_classes=3, arch='rexnet_1.0', width_mult=0.5, test_cfg=None, backbone=None, **head
):
    torch.manual_seed(0)
    overrides = dict(width_mult=width_mult) if arch.startswith('rexnet_1') else {}
    model = dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size_divisor=32),
        backbone=dict(type='rexdense.ReXNet', arch=arch, out_indices=(0, 1, 2, 3, 4))
        | overrides
        | (backbone or {}),
        decode_head=dict(
            type='rexdense.MultiScaleUNetHead',
            arch=arch,
            overrides=overrides,
            num_classes=num_classes,
            **head,
        ),
        train_cfg=dict(),
        test_cfg=test_cfg or dict(mode='whole'),
    )
    return MODELS.build(ConfigDict(model))


def sample(labels):
    result = SegDataSample()
    result.gt_sem_seg = PixelData(data=labels[None])
    shape = tuple(labels.shape)
    result.set_metainfo(dict(ori_shape=shape, img_shape=shape, pad_shape=shape))
    return result


def batch(height=64, width=96, classes=3, images=2):
    labels = torch.randint(classes, (images, height, width), generator=torch.Generator())
    labels[:, :4] = 255
    return torch.rand(images, 3, height, width), [sample(each) for each in labels]


def test_the_label_with_the_greatest_share_of_a_cell_is_taken():
    labels = torch.tensor([[[0, 1, 1, 255], [0, 1, 2, 255], [1, 2, 255, 255], [1, 2, 255, 255]]])
    assert resize_labels(labels, (2, 2), 'share').tolist() == [[[0, 1], [1, 255]]]
    assert resize_labels(labels, (4, 4), 'share') is labels


@pytest.mark.parametrize('size', [(33, 49), (17, 25), (3, 4), (1, 1)])
def test_shares_of_cells_are_those_of_averaged_one_hot_maps(size):
    labels = torch.randint(5, (2, 65, 97), generator=torch.Generator().manual_seed(0))
    one_hot = F.one_hot(labels, 5).permute(0, 3, 1, 2).double()
    expected = F.adaptive_avg_pool2d(one_hot, size).argmax(1)
    found = resize_labels(labels, size, 'share')
    # Shares that differ only by rounding may go either way.
    assert (found == expected).double().mean() > 0.99


def test_nearest_keeps_thin_labels_where_a_cell_is_sampled():
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[0, :, 1] = 7
    assert resize_labels(labels, (2, 2), 'nearest').tolist() == [[[7, 0], [7, 0]]]


def test_losses_are_those_of_each_output_times_its_weight():
    model = segmentor(scale_weights={1: 1, 2: 0.5, 4: 0.25, 8: 0.2, 16: 0.1, 32: 0.05})
    images, samples = batch()
    model.eval()
    features = model.extract_feat(images)
    with torch.no_grad():
        losses = model.decode_head.loss(features, samples)
    target = torch.cat([each.gt_sem_seg.data for each in samples])
    outputs = model.decode_head(features, (64, 96))
    for stride, weight in model.decode_head.scale_weights.items():
        labels = resize_labels(target, outputs[stride].shape[2:], 'share')
        expected = weight * F.cross_entropy(outputs[stride], labels, ignore_index=255)
        assert losses[f'loss_ce_stride_{stride}'] == pytest.approx(float(expected), rel=1e-5)
    right = outputs[1].argmax(1)[:, 4:] == target[:, 4:]
    assert losses['acc_seg'] == pytest.approx(100 * float(right.float().mean()))


def test_weights_halve_by_default_and_their_sum_is_one():
    head = MultiScaleUNetHead(num_classes=3, output_strides=(1, 2, 8), **NARROW)
    assert head.scale_weights == pytest.approx({1: 4 / 7, 2: 2 / 7, 8: 1 / 7})
    assert head.predict_weights == {1: 1}


def test_weights_may_be_listed_in_the_order_of_the_strides():
    head = MultiScaleUNetHead(
        num_classes=3,
        output_strides=(1, 2, 8),
        scale_weights=[1, 0.5, 2],
        predict_weights=[3, 0, 1],
        **NARROW,
    )
    assert head.scale_weights == {1: 1, 2: 0.5, 8: 2}
    assert head.predict_weights == {1: 3, 8: 1}


@pytest.mark.parametrize(
    'backbone, message',
    [
        (dict(output_stride=16), 'c5 comes as 100 x 4 x 6 .*, and should be 100 x 2 x 3: give the'),
        (dict(width_mult=1.0), 'c2 comes as 38 x 16 x 24 .*, and should be 27 x 16 x 24: give the'),
    ],
)
def test_features_of_another_backbone_are_refused(backbone, message):
    model = segmentor(backbone=backbone)
    with pytest.raises(InvalidArgument, match=message):
        model.loss(*batch())


LOSSES = {
    'cross-entropy': CROSS_ENTROPY,
    'focal': dict(type='mmseg.FocalLoss'),
    'dice': dict(type='mmseg.DiceLoss'),
    'lovasz': dict(type='mmseg.LovaszLoss', reduction='none'),
    'tversky': dict(type='mmseg.TverskyLoss'),
    'two': [CROSS_ENTROPY, dict(type='mmseg.DiceLoss', loss_weight=0.5)],
}


@pytest.mark.parametrize('loss', LOSSES)
def test_every_parameter_learns_from_mmsegs_losses(loss):
    model = segmentor(loss_decode=LOSSES[loss], output_strides=(1, 4, 32)).train()
    total, values = model.parse_losses(model.loss(*batch()))
    total.backward()
    assert total.isfinite() and total > 0
    assert all(parameter.grad is not None for parameter in model.parameters())
    names = {name for name in values if 'stride' in name}
    assert len(names) == 3 * (2 if loss == 'two' else 1)


def test_focal_loss_is_that_of_the_formula_without_void():
    # Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5.
    loss = dict(type='mmseg.FocalLoss', gamma=2.0, alpha=0.25)
    model = segmentor(loss_decode=loss, output_strides=(4,)).eval()
    images, samples = batch()
    with torch.no_grad():
        features = model.extract_feat(images)
        found = model.decode_head.loss(features, samples)['loss_focal_stride_4']
        logits = model.decode_head(features)[4]
    target = torch.cat([each.gt_sem_seg.data for each in samples])
    labels = resize_labels(target, logits.shape[2:], 'share')
    chosen = F.one_hot(labels.clamp(max=3), 4)[..., :3].permute(0, 3, 1, 2).bool()
    share = logits.sigmoid()
    right = torch.where(chosen, share, 1 - share)
    weight = torch.where(chosen, 0.25, 0.75)
    terms = -weight * (1 - right) ** 2 * right.log() * (labels != 255)[:, None]
    expected = float(terms.sum() / (3 * (labels != 255).sum()))
    assert found == pytest.approx(expected, rel=1e-5)


BINARY = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True)


def test_one_channel_tells_two_classes_apart():
    model = segmentor(2, out_channels=1, loss_decode=BINARY, output_strides=(1, 8)).train()
    images, samples = batch(classes=2)
    total, _ = model.parse_losses(model.loss(images, samples))
    total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval()
    with torch.no_grad():
        model.decode_head.decoder.outputs['1'].conv.bias.fill_(100)
        result = model.predict(images, samples)[0]
    assert result.pred_sem_seg.data.shape == (1, 64, 96)
    assert bool((result.pred_sem_seg.data == 1).all())


@pytest.mark.parametrize('loss', [*LOSSES, 'binary'])
def test_a_batch_that_is_void_all_over_teaches_nothing(loss):
    binary = loss == 'binary'
    model = segmentor(
        2 if binary else 3,
        out_channels=1 if binary else None,
        loss_decode=BINARY if binary else LOSSES[loss],
        output_strides=(1, 4),
    )
    images, samples = batch()
    for each in samples:
        each.gt_sem_seg.data[:] = 255
    total, _ = model.parse_losses(model.loss(images, samples))
    total.backward()
    assert float(total) == 0
    assert all(not parameter.grad.any() for parameter in model.parameters())


@pytest.mark.parametrize('size', [(64, 96), (65, 65), (97, 131), (20, 9)])
def test_predictions_have_the_size_of_the_image(size):
    model = segmentor().eval()
    images, samples = batch(*size, images=1)
    with torch.no_grad():
        (result,) = model.predict(images, samples)
    assert result.pred_sem_seg.data.shape == (1, *size)
    assert result.seg_logits.data.shape == (3, *size)


def test_the_finest_output_or_a_weighted_mean_is_predicted():
    model = segmentor(predict_weights={1: 3, 8: 1}).eval()
    images, samples = batch()
    metas = [each.metainfo for each in samples]
    with torch.no_grad():
        features = model.extract_feat(images)
        outputs = model.decode_head(features, (64, 96))
        coarse = F.interpolate(outputs[8], (64, 96), mode='bilinear')
        torch.testing.assert_close(
            model.decode_head.predict(features, metas), 0.75 * outputs[1] + 0.25 * coarse
        )
        model.decode_head.predict_weights = {1: 1.0}
        torch.testing.assert_close(model.decode_head.predict(features, metas), outputs[1])


def test_a_sliding_window_gives_what_the_windows_give():
    slide = dict(mode='slide', crop_size=(64, 64), stride=(64, 32))
    model = segmentor(test_cfg=slide).eval()
    images, samples = batch(images=1)
    with torch.no_grad():
        (result,) = model.predict(images, samples)
        windows = []
        for left in (0, 32):
            window = images[..., left : left + 64]
            metas = [dict(img_shape=(64, 64), ori_shape=(64, 64))]
            windows.append(model.decode_head.predict(model.extract_feat(window), metas)[0])
    logits = result.seg_logits.data
    torch.testing.assert_close(logits[..., :32], windows[0][..., :32])
    torch.testing.assert_close(logits[..., 64:], windows[1][..., 32:])
    torch.testing.assert_close(
        logits[..., 32:64], (windows[0][..., 32:] + windows[1][..., :32]) / 2
    )


@pytest.mark.parametrize('arch', list_backbones())
def test_every_backbone_has_a_head(arch):
    with torch.device('meta'):
        head = MultiScaleUNetHead(arch, 2, output_strides=(1, 32))
    assert list(head.scale_weights) == [1, 32]


@pytest.mark.parametrize(
    'arguments, error, message',
    [
        (dict(num_classes=1), InvalidArgument, 'count the background as a class'),
        (dict(num_classes=3, out_channels=1), InvalidArgument, 'out_channels=1 with num_classes=3'),
        (
            dict(num_classes=3, label_resizing='area'),
            InvalidArgument,
            "did you mean 'share'",
        ),
        (
            dict(num_classes=3, output_strides=(1, 2), out_indices=(1, 2, 3, 4)),
            InvalidArgument,
            'allowed are 1, 4, 8, 16, 32',
        ),
        (dict(num_classes=3, scale_weights={1: 1}), InvalidArgument, 'one for each of the output'),
        (
            dict(num_classes=3, output_strides=(1, 4), scale_weights={1: 1, 4: 0}),
            InvalidArgument,
            'a weight above 0',
        ),
        (
            dict(num_classes=3, output_strides=(1, 4), predict_weights={2: 1}),
            InvalidArgument,
            'among 1, 4',
        ),
        (
            dict(num_classes=3, output_strides=(1, 4), scale_weights=[1]),
            InvalidArgument,
            'one for each of the output strides 1, 4',
        ),
        (
            dict(num_classes=3, output_strides=(1, 4), predict_weights=[1, 1, 1]),
            InvalidArgument,
            'among 1, 4',
        ),
        (
            dict(num_classes=3, output_strides=(1, 4), predict_weights=1),
            InvalidArgument,
            'predict_weights=1: give a list of numbers, one for each of the output strides 1, 4',
        ),
        (
            dict(num_classes=3, output_strides=(1, 4), scale_weights=['{1:1', '4:0.5}']),
            InvalidArgument,
            'scale_weights=.*: give a list of numbers',
        ),
        (
            dict(num_classes=3, scale_weight=[1]),
            InvalidArgument,
            "MultiScaleUNetHead takes no 'scale_weight': did you mean 'scale_weights'",
        ),
        (
            dict(num_classes=3, feature_info=[]),
            InvalidArgument,
            "MultiScaleUNetHead takes no 'feature_info'",
        ),
        (dict(num_classes=3, arch='rexnet_1.1'), UnknownName, 'rexnet_1.0'),
    ],
)
def test_arguments_outside_what_is_allowed(arguments, error, message):
    with pytest.raises(error, match=message):
        MultiScaleUNetHead(**dict(arch='rexnet_1.0') | arguments)
