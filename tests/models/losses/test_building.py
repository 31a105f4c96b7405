"""Losses of heads from configs: mmseg's by name, the user's own, and refusals."""

import importlib
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

pytest.importorskip('mmseg')

import mmseg.models
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import init_default_scope

from rexdense.errors import DataError, InvalidArgument, UnknownName
from rexdense.models.heads.depth import MultiScaleDepthHead
from rexdense.models.heads.segmentation import MultiScaleUNetHead, resize_labels
from rexdense.models.losses import CrossEntropyLoss

SMALL = dict(arch='rexnet_1.0', overrides=dict(width_mult=0.5), output_strides=(1, 8))
WEIGHTS = [0.2, 1.0, 3.0]


@pytest.fixture(autouse=True)
def _scope(fresh_mmengine):
    init_default_scope('mmseg')


def head(loss_decode, num_classes=3, **arguments):
    return MultiScaleUNetHead(
        num_classes=num_classes, loss_decode=loss_decode, **SMALL, **arguments
    )


def refusal(loss_decode, num_classes=3, **arguments):
    with pytest.raises((InvalidArgument, UnknownName)) as caught:
        head(loss_decode, num_classes, **arguments)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    'config',
    [
        dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True, class_weight=WEIGHTS),
        dict(type='mmseg.CrossEntropyLoss', class_weight=WEIGHTS),
        dict(type='CrossEntropyLoss', class_weight=WEIGHTS, use_sigmoid=False, use_mask=False),
        dict(type='CrossEntropyLoss', _scope_='mmseg', class_weight=tuple(WEIGHTS)),
        dict(type='rexdense.CrossEntropyLoss', class_weight=WEIGHTS),
        dict(type='CrossEntropyLoss', _scope_='rexdense', class_weight=WEIGHTS),
        dict(type=CrossEntropyLoss, class_weight=WEIGHTS),
    ],
)
def test_weighted_cross_entropy_of_each_scale_is_torchs(config):
    built = head(config)
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (2, 16, 16))
    labels[:, :4] = 255
    for size in (16, 8, 3, 1):
        output = torch.randn(2, 3, size, size)
        target = resize_labels(labels, (size, size), 'share')
        expected = F.cross_entropy(output, target, torch.tensor(WEIGHTS), ignore_index=255)
        (value,) = built.scale_losses(output, labels).values()
        torch.testing.assert_close(value, expected)


def test_mmsegs_mean_over_all_pixels_is_kept():
    labels = torch.tensor([[[0, 255], [1, 255]]])
    output = torch.randn(1, 3, 2, 2)
    (value,) = head(dict(type='mmseg.CrossEntropyLoss')).scale_losses(output, labels).values()
    expected = F.cross_entropy(output, labels, ignore_index=255, reduction='sum') / 4
    torch.testing.assert_close(value, expected)


ONE_CHANNEL = [
    dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True),
    dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True, class_weight=[1, 2]),
    dict(type='mmseg.DiceLoss'),
    dict(type='mmseg.DiceLoss', activate=True, naive_dice=True),
    dict(type='mmseg.FocalLoss'),
    dict(type='mmseg.TverskyLoss'),
    dict(type='mmseg.LovaszLoss', loss_type='binary', reduction='none'),
    [dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True), dict(type='mmseg.DiceLoss')],
]


@pytest.mark.parametrize('config', ONE_CHANNEL, ids=str)
def test_one_channel_is_trained_towards_the_mask(config):
    built = head(config, 2, out_channels=1)
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, 4:, 6:] = 1
    labels[:, :2] = 255
    output = torch.zeros(2, 1, 16, 16, requires_grad=True)
    optimizer = torch.optim.Adam([output], 0.5)
    for _ in range(20):
        optimizer.zero_grad()
        sum(built.scale_losses(output, labels).values()).backward()
        optimizer.step()
    labelled = labels != 255
    assert ((output[:, 0] > 0).long() == labels)[labelled].all()
    assert not output[:, 0][~labelled].any()


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='mmseg.CrossEntropyLoss'), 'give use_sigmoid=True'),
        (dict(type='mmseg.CrossEntropyLoss', class_weight=[1, 1]), 'give use_sigmoid=True'),
        (dict(type='mmseg.OhemCrossEntropy'), 'OhemCrossEntropy is no loss that this head'),
        (dict(type='mmseg.LovaszLoss', reduction='none'), "give 'binary' to one channel"),
        (dict(type='mmseg.DiceLoss', use_sigmoid=False), 'leave out use_sigmoid=False'),
        (dict(type='mmseg.FocalLoss', class_weight=[1, 2]), 'give alpha'),
        (
            [dict(type='mmseg.DiceLoss'), dict(type='mmseg.CrossEntropyLoss')],
            'give use_sigmoid=True',
        ),
    ],
    ids=str,
)
def test_losses_refused_with_one_channel(config, message):
    assert message in refusal(config, 2, out_channels=1)


@pytest.mark.parametrize(
    'name',
    ['BoundaryLoss', 'HuasdorffDisstanceLoss', 'OhemCrossEntropy', 'KLDivLoss', 'SiLogLoss'],
)
def test_losses_of_mmseg_that_compare_something_else(name):
    # The package does not import all of them.
    for module in Path(mmseg.models.losses.__path__[0]).glob('*loss.py'):
        importlib.import_module(f'mmseg.models.losses.{module.stem}')
    message = refusal(dict(type=f'mmseg.{name}'))
    assert message.startswith(f'mmseg.{name} is no loss that this head can have: there are ')
    assert 'rexdense.CrossEntropyLoss' in message and 'rexdense.SiLogLoss' not in message


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (dict(type='mmdet.DiceLoss'), 'mmdet.DiceLoss is no loss that this head can have'),
        (dict(type='mmengine.NoSuchModel'), "no loss is called 'mmengine.NoSuchModel'"),
        (dict(type='rexdense.SiLogLoss'), 'rexdense.SiLogLoss is no loss that this head can'),
        (dict(type='rexdense.ReXNet'), 'rexdense.ReXNet is no loss that this head can have'),
        (dict(type=nn.CrossEntropyLoss), 'CrossEntropyLoss.* is no loss that this head can'),
        (dict(type='mmseg.CrosEntropyLoss'), "no loss is called 'mmseg.CrosEntropyLoss'"),
        (dict(type='nowhere.Loss'), "no loss is called 'nowhere.Loss'"),
        (dict(avg_non_ignore=True), 'give a dict'),
        ([], r'loss_decode=\[\]: give'),
        ('mmseg.DiceLoss', "loss_decode='mmseg.DiceLoss': give"),
        (None, 'loss_decode=None: give'),
        (
            dict(type='mmseg.CrossEntropyLoss', label_smoothing=0.1),
            "CrossEntropyLoss takes no 'label_smoothing': .*_delete_=True",
        ),
        (dict(type='mmseg.DiceLoss', class_weight=WEIGHTS), "DiceLoss takes no 'class_weight'"),
        (dict(type='mmseg.CrossEntropyLoss', use_mask=True), 'use_mask=True of CrossEntropyLoss'),
        (dict(type='mmseg.DiceLoss', activate=False), 'activate=False of DiceLoss'),
        (dict(type='mmseg.FocalLoss', use_sigmoid=False), 'use_sigmoid=False of FocalLoss'),
        (dict(type='mmseg.CrossEntropyLoss', class_weight=[1, 2]), 'each of the 3 classes'),
        (dict(type='mmseg.CrossEntropyLoss', class_weight=[1, -1, 1]), 'give a list of a number'),
        (dict(type='mmseg.TverskyLoss', class_weight='weights.pkl'), 'give a list of a number'),
        (dict(type='mmseg.CrossEntropyLoss', loss_name='ce'), "mmengine wants a name with 'loss'"),
        (dict(type='mmseg.CrossEntropyLoss', reduction='none'), "allowed are 'mean' and 'sum'"),
        (
            dict(type='mmseg.CrossEntropyLoss', class_weight=WEIGHTS, num_classes=3),
            "takes no 'num_classes'",
        ),
    ],
    ids=str,
)
def test_refused_configs(config, message):
    assert re.search(message, refusal(config))


def test_a_depth_head_has_losses_of_depth():
    with pytest.raises(
        InvalidArgument, match=r'there are rexdense.DepthGradientLoss, rexdense.SiL'
    ):
        MultiScaleDepthHead(loss_decode=dict(type='mmseg.CrossEntropyLoss'), **SMALL)
    built = MultiScaleDepthHead(loss_decode=dict(type='mmseg.SiLogLoss', loss_weight=2), **SMALL)
    assert built.loss_decode[0].loss_weight == 2


@pytest.fixture
def own_loss():
    class OwnLoss(nn.Module):
        loss_name = 'loss_own'

        def forward(self, output, labels, ignore_index):
            return F.cross_entropy(output, labels, ignore_index=ignore_index)

    class Nameless(nn.Module):
        pass

    for kind in (OwnLoss, Nameless):
        ROOT_MODELS.register_module(module=kind)
    yield
    for kind in (OwnLoss, Nameless):
        del ROOT_MODELS._module_dict[kind.__name__]


def test_a_loss_of_the_users_own(own_loss):
    built = head([dict(type='mmengine.OwnLoss'), dict(type='rexdense.DiceLoss')])
    labels = torch.tensor([[[0, 1], [2, 255]]])
    output = torch.randn(1, 3, 2, 2)
    losses = built.scale_losses(output, labels)
    assert list(losses) == ['loss_own', 'loss_dice']
    torch.testing.assert_close(
        losses['loss_own'], F.cross_entropy(output, labels, ignore_index=255)
    )
    assert 'it must be a torch.nn.Module with a loss_name' in refusal(dict(type='Nameless'))


@pytest.mark.parametrize('label', [-1, 3, 254])
def test_labels_that_are_no_class_are_refused(label):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    sample = SegDataSample()
    sample.gt_sem_seg = PixelData(data=torch.tensor([[[0, 255], [2, label]]]))
    with pytest.raises(DataError, match=f'has the label {label}, but there are 3 classes, 0 to 2'):
        head(dict(type='rexdense.DiceLoss')).stack_targets([sample])
