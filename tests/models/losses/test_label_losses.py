"""Losses for labels: torch's and mmseg's values, void pixels, one channel."""

import math

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmengine')

from mmengine.structures import PixelData

from rexdense.errors import DataError, InvalidArgument
from rexdense.models.losses import (
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    LovaszLoss,
    TverskyLoss,
)
from rexdense.registry import MODELS

WEIGHTS = [0.2, 1.0, 3.0]
SEVERAL = {
    'cross-entropy': CrossEntropyLoss(),
    'cross-entropy, weighted': CrossEntropyLoss(class_weight=WEIGHTS),
    'cross-entropy, sum': CrossEntropyLoss(reduction='sum'),
    'cross-entropy of sigmoids': CrossEntropyLoss(use_sigmoid=True, class_weight=WEIGHTS),
    'focal': FocalLoss(),
    'focal, weighted': FocalLoss(gamma=0.5, alpha=[0.2, 0.5, 0.9], class_weight=WEIGHTS),
    'focal, sum': FocalLoss(reduction='sum'),
    'Dice': DiceLoss(),
    'Dice, naive': DiceLoss(naive_dice=True),
    'Dice of a softmax': DiceLoss(use_sigmoid=False, ignore_index=0),
    'Dice, sum': DiceLoss(reduction='sum'),
    'Tversky': TverskyLoss(),
    'Tversky, weighted': TverskyLoss(class_weight=WEIGHTS, alpha=0.5, beta=0.5),
    'Lovasz': LovaszLoss(),
    'Lovasz, weighted': LovaszLoss(classes='all', class_weight=WEIGHTS),
    'Lovasz by image': LovaszLoss(per_image=True),
    'Lovasz of some classes': LovaszLoss(classes=[0, 2]),
}
ONE = {
    'cross-entropy': CrossEntropyLoss(use_sigmoid=True),
    'cross-entropy, weighted': CrossEntropyLoss(use_sigmoid=True, class_weight=[1, 3]),
    'focal': FocalLoss(),
    'focal with alpha': FocalLoss(alpha=0.25),
    'Dice': DiceLoss(),
    'Dice, naive': DiceLoss(naive_dice=True),
    'Tversky': TverskyLoss(),
    'Lovasz': LovaszLoss(loss_type='binary'),
    'Lovasz by image': LovaszLoss(loss_type='binary', per_image=True),
}
ALL = [*((loss, 3) for loss in SEVERAL.values()), *((loss, 1) for loss in ONE.values())]
NAMES = [*SEVERAL, *(f'{name} of one channel' for name in ONE)]


def drawn(channels=3, void=255, images=2):
    torch.manual_seed(0)
    labels = torch.randint(0, max(channels, 2), (images, 8, 6))
    labels[:, :2] = void
    labels[:, :, 0] = void
    return torch.randn(images, channels, 8, 6, requires_grad=True), labels


@pytest.mark.parametrize('void', [255, 254, -1, 1000])
@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_void_pixels_are_as_if_cut_out(loss, channels, void):
    logits, labels = drawn(channels, void)
    value = loss(logits, labels, ignore_index=void)
    value.backward()
    cut = loss(logits[:, :, 2:, 1:], labels[:, 2:, 1:], ignore_index=void)
    torch.testing.assert_close(value, cut)
    assert value > 0
    assert not logits.grad[:, :, :2].any() and not logits.grad[..., 0].any()
    assert logits.grad[:, :, 2:, 1:].abs().sum() > 0
    # Whatever the network predicts for void pixels.
    with torch.no_grad():
        logits[:, :, :2] = 50
    torch.testing.assert_close(loss(logits, labels, ignore_index=void), value)


@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_an_image_without_labels_is_as_if_left_out(loss, channels):
    logits, labels = drawn(channels)
    labels[1] = 255
    value = loss(logits, labels)
    value.backward()
    torch.testing.assert_close(value, loss(logits[:1], labels[:1]))
    assert logits.grad.isfinite().all() and not logits.grad[1].any()


@pytest.mark.parametrize('labelled', [0, 1])
@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_next_to_nothing_labelled(loss, channels, labelled):
    logits, labels = drawn(channels)
    labels[:] = 255
    if labelled:
        labels[1, 3, 3] = 1
    value = loss(logits, labels)
    value.backward()
    assert value.isfinite() and logits.grad.isfinite().all()
    if not labelled:
        assert value == 0 and not logits.grad.any()


@pytest.mark.parametrize('size', [1e4, 1e30])
@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_extreme_logits_have_finite_gradients(loss, channels, size):
    _, labels = drawn(channels)
    chosen = F.one_hot(labels.clamp(max=2), 3).movedim(-1, 1)
    chosen = chosen[:, 1:2] if channels == 1 else chosen
    for sign in (1, -1):
        extreme = (sign * size * (2.0 * chosen - 1)).requires_grad_()
        value = loss(extreme, labels)
        value.backward()
        assert value.isfinite() and extreme.grad.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_half_precision_is_summed_in_float32(loss, channels, dtype):
    torch.manual_seed(0)
    logits = torch.randn(1, channels, 300, 300).to(dtype).requires_grad_()
    labels = torch.randint(0, max(channels, 2), (1, 300, 300))
    value = loss(logits, labels)
    torch.testing.assert_close(value, loss(logits.float(), labels))
    value.backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_gradients_are_those_of_differences(loss, channels):
    logits, labels = drawn(channels)
    logits = logits.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: loss(each, labels), logits, fast_mode=True)


@pytest.mark.parametrize(
    ('name', 'classes'),
    [
        (name, classes)
        for name in ONE
        for classes in ([0, 1], [0, 0], [1, 1])
        # Dice with V-Net's squares is 0 for every prediction if the class is absent.
        if (name, classes) != ('Dice', [0, 0])
    ],
)
def test_one_channel_learns_the_mask_and_not_its_inverse(name, classes):
    loss = ONE[name]
    torch.manual_seed(0)
    labels = torch.tensor(classes)[torch.randint(0, 2, (2, 8, 6))]
    labels[:, 0] = 255
    right = torch.where(labels == 1, 4.0, -4.0)[:, None]
    unsure = torch.zeros_like(right)
    assert loss(right, labels) < loss(unsure, labels) < loss(-right, labels)
    unsure.requires_grad_()
    loss(unsure, labels).backward()
    # The gradient of a labelled pixel, if it has one, points towards its label.
    assert (unsure.grad * right <= 0).all() and unsure.grad.any()


@pytest.mark.parametrize('loss', SEVERAL.values(), ids=SEVERAL)
def test_the_right_answer_is_below_a_wrong_one(loss):
    _, labels = drawn()
    right = 8.0 * F.one_hot(labels.clamp(max=2), 3).movedim(-1, 1) - 4
    assert loss(right, labels) < loss(right.roll(1, dims=1), labels)


@pytest.mark.parametrize('weight', [None, WEIGHTS, [0, 1, 2]])
@pytest.mark.parametrize('reduction', ['mean', 'sum'])
@pytest.mark.parametrize('avg_non_ignore', [True, False])
def test_cross_entropy_is_torchs(weight, reduction, avg_non_ignore):
    logits, labels = drawn()
    loss = CrossEntropyLoss(
        class_weight=weight,
        reduction=reduction,
        avg_non_ignore=avg_non_ignore,
        loss_weight=0.5,
    )
    expected = F.cross_entropy(
        logits,
        labels,
        None if weight is None else torch.tensor(weight, dtype=torch.float),
        ignore_index=255,
        reduction=reduction,
    )
    if weight is None and reduction == 'mean' and not avg_non_ignore:
        expected = expected * (labels != 255).sum() / labels.numel()
    torch.testing.assert_close(loss(logits, labels), 0.5 * expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize('weight', [None, [0.2, 3.0]])
def test_cross_entropy_of_one_channel_is_torchs(weight):
    logits, labels = drawn(1)
    chosen, counts = (labels == 1).float(), labels != 255
    terms = F.binary_cross_entropy_with_logits(logits[:, 0], chosen, reduction='none')
    factors = torch.tensor(weight or [1.0, 1.0])[labels.clamp(max=1)] * counts
    expected = (terms * factors).sum() / factors.sum()
    loss = CrossEntropyLoss(use_sigmoid=True, class_weight=weight)
    torch.testing.assert_close(loss(logits, labels), expected)
    pair = torch.cat((torch.zeros_like(logits), logits), 1)
    torch.testing.assert_close(CrossEntropyLoss(class_weight=weight)(pair, labels), expected)


@pytest.mark.parametrize('weight', [None, WEIGHTS])
@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_cross_entropy_of_sigmoids_is_torchs(weight, reduction):
    logits, labels = drawn()
    labelled = labels != 255
    expected = F.binary_cross_entropy_with_logits(
        logits.movedim(1, -1)[labelled],
        F.one_hot(labels[labelled], 3).float(),
        pos_weight=None if weight is None else torch.tensor(weight),
        reduction=reduction,
    )
    loss = CrossEntropyLoss(use_sigmoid=True, class_weight=weight, reduction=reduction)
    torch.testing.assert_close(loss(logits, labels), expected)
    if reduction == 'mean':
        loss.avg_non_ignore = False
        share = labelled.float().mean()
        torch.testing.assert_close(loss(logits, labels), expected * share)


def test_labels_that_all_weigh_nothing_teach_nothing():
    logits, labels = drawn()
    labels[labels != 255] = 0
    value = CrossEntropyLoss(class_weight=[0, 1, 2])(logits, labels)
    value.backward()
    assert value == 0 and not logits.grad.any()


def test_mmsegs_samplers_get_pixels():
    logits, labels = drawn()
    loss = CrossEntropyLoss(class_weight=WEIGHTS)
    terms = loss(logits, labels, reduction_override='none')
    weight = torch.tensor(WEIGHTS)
    torch.testing.assert_close(
        terms, F.cross_entropy(logits, labels, weight, ignore_index=255, reduction='none')
    )
    chosen = (torch.arange(8) % 2 == 0).float()[:, None].expand(2, 8, 6)
    expected = (terms * chosen).sum() / weight[labels[labels != 255]].sum()
    torch.testing.assert_close(loss(logits, labels, weight=chosen), expected)
    focal = FocalLoss()
    terms = focal(logits, labels, reduction_override='none')
    assert terms.shape == labels.shape and not terms[labels == 255].any()
    torch.testing.assert_close(focal(logits, labels, reduction_override='sum'), terms.sum())
    expected = (terms * chosen).sum() / (logits.shape[1] * (labels != 255).sum())
    torch.testing.assert_close(focal(logits, labels, weight=chosen), expected)
    with pytest.raises(InvalidArgument, match='DiceLoss compares whole images'):
        DiceLoss()(logits, labels, weight=chosen)


@pytest.mark.parametrize('beyond', [-2, 3, 254])
@pytest.mark.parametrize(('loss', 'channels'), ALL, ids=NAMES)
def test_labels_that_are_no_class_are_refused(loss, channels, beyond):
    """One wrong label, among others or alone, for every caller."""
    logits, labels = drawn(channels)
    last = max(channels, 2) - 1
    said = rf'{type(loss).__name__} got the label {beyond}, .* 0 to {last}, and void is 255'
    for number in (1, labels.numel()):
        labels.view(-1)[-number:] = beyond
        with pytest.raises(DataError, match=said):
            loss(logits, labels)
        with pytest.raises(DataError, match=said):
            loss(logits, labels, reduction_override='none')


def test_a_head_of_mmseg_has_torchs_value():
    pytest.importorskip('mmseg')
    from mmseg.models.decode_heads import FCNHead
    from mmseg.structures import SegDataSample

    logits, labels = drawn()
    samples = [SegDataSample() for _ in labels]
    for sample, each in zip(samples, labels, strict=True):
        sample.gt_sem_seg = PixelData(data=each[None])
    loss = dict(type='rexdense.CrossEntropyLoss', class_weight=WEIGHTS)
    expected = F.cross_entropy(logits, labels, torch.tensor(WEIGHTS), ignore_index=255)
    for sampler in (None, dict(type='mmseg.OHEMPixelSampler', thresh=1.0, min_kept=2)):
        head = FCNHead(in_channels=4, channels=4, num_classes=3, loss_decode=loss, sampler=sampler)
        found = head.loss_by_feat(logits, samples)['loss_ce']
        # No pixel reaches this threshold, so all are kept.
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ('config', 'ours'),
    [
        (dict(type='DiceLoss'), DiceLoss()),
        (dict(type='DiceLoss', naive_dice=True, eps=0.5), DiceLoss(naive_dice=True, eps=0.5)),
        (dict(type='DiceLoss', use_sigmoid=False), DiceLoss(use_sigmoid=False)),
        (dict(type='DiceLoss', ignore_index=1), DiceLoss(ignore_index=1)),
        (dict(type='TverskyLoss'), TverskyLoss()),
        (dict(type='TverskyLoss', ignore_index=1), TverskyLoss(ignore_index=1)),
        (
            dict(type='TverskyLoss', class_weight=WEIGHTS, smooth=2, alpha=0.5, beta=0.5),
            TverskyLoss(class_weight=WEIGHTS, smooth=2, alpha=0.5, beta=0.5),
        ),
        (dict(type='LovaszLoss', reduction='none'), LovaszLoss()),
        (dict(type='LovaszLoss', per_image=True), LovaszLoss(per_image=True)),
        (
            dict(type='LovaszLoss', classes='all', reduction='none', class_weight=WEIGHTS),
            LovaszLoss(classes='all', class_weight=WEIGHTS),
        ),
        (dict(type='CrossEntropyLoss'), CrossEntropyLoss()),
        (
            dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=2.0),
            CrossEntropyLoss(use_sigmoid=True, loss_weight=2.0),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else '',
)
def test_values_without_void_are_mmsegs(config, ours):
    pytest.importorskip('mmseg')
    logits, labels = drawn()
    labels = labels.clamp(max=2)
    theirs = MODELS.build(config | dict(type=f'mmseg.{config["type"]}'))
    torch.testing.assert_close(ours(logits, labels), theirs(logits, labels))


@pytest.mark.parametrize('alpha', [0.25, [0.2, 0.5, 0.9]])
def test_focal_loss_is_mmsegs_of_what_is_labelled(alpha):
    pytest.importorskip('mmseg')
    logits, labels = drawn()
    labelled = labels != 255
    arguments = dict(alpha=alpha, gamma=1.5, class_weight=WEIGHTS)
    # mmseg's loss as in its formula: a map of 0 and 1 per channel.
    theirs = MODELS.build(dict(type='mmseg.FocalLoss', **arguments))(
        logits.movedim(1, -1)[labelled], F.one_hot(labels[labelled], 3).float()
    )
    torch.testing.assert_close(FocalLoss(**arguments)(logits, labels), theirs)


@pytest.mark.parametrize('per_image', [False, True])
def test_lovasz_hinge_is_mmsegs(per_image):
    pytest.importorskip('mmseg')
    logits, labels = drawn(1)
    arguments = dict(loss_type='binary', per_image=per_image)
    theirs = MODELS.build(
        dict(type='mmseg.LovaszLoss', reduction='mean' if per_image else 'none', **arguments)
    )
    torch.testing.assert_close(
        LovaszLoss(**arguments)(logits, labels), theirs(logits, labels, ignore_index=255)
    )


def test_dice_by_hand():
    # Shares of 0.5 everywhere, two pixels of class 1, one of class 0, one void.
    labels = torch.tensor([[[1, 1], [0, 255]]])
    value = DiceLoss(eps=1e-9)(torch.zeros(1, 1, 2, 2), labels)
    assert float(value) == pytest.approx(1 - 2 * (0.5 + 0.5) / (3 * 0.25 + 2))
    naive = DiceLoss(eps=1e-9, naive_dice=True)(torch.zeros(1, 1, 2, 2), labels)
    assert float(naive) == pytest.approx(1 - 2 * (0.5 + 0.5) / (3 * 0.5 + 2))


def test_tversky_by_hand():
    labels = torch.tensor([[[1, 1], [0, 255]]])
    value = TverskyLoss(smooth=1e-9)(torch.zeros(1, 1, 2, 2), labels)
    # 1 found, 0.5 false positive, 1 missed.
    assert float(value) == pytest.approx(1 - 1 / (1 + 0.3 * 0.5 + 0.7 * 1))


def test_more_classes_than_the_void_label():
    logits, labels = drawn(300)
    labels[:, 5] = 255
    logits = logits.detach().requires_grad_()
    for loss in (TverskyLoss(), DiceLoss(), CrossEntropyLoss(), LovaszLoss(), FocalLoss()):
        logits.grad = None
        loss(logits, labels, ignore_index=1000 if labels.max() < 1000 else 255).backward()
        assert logits.grad[:, 255, 5].abs().min() > 0


NAMED = [CrossEntropyLoss, FocalLoss, LovaszLoss, TverskyLoss]


@pytest.mark.parametrize(
    'weight',
    [
        *([], [1, -1, 1], [1, math.nan, 1], [1, math.inf, 1], [0, 0, 0], ['1', 1, 1]),
        *('w.pkl', 3, [True, 1, 1], {0: 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize('kind', NAMED)
def test_class_weights_that_are_none(kind, weight):
    with pytest.raises(InvalidArgument, match=r'class_weight=.*: give a list of a number for each'):
        kind(class_weight=weight)


@pytest.mark.parametrize('kind', NAMED)
def test_class_weights_of_another_number_of_classes(kind):
    logits, labels = drawn()
    for weight in ([1, 2], [1, 2, 3, 4]):
        with pytest.raises(InvalidArgument, match='give one number for each of the 3 classes'):
            kind(class_weight=weight)(logits, labels)


@pytest.mark.parametrize(
    ('kind', 'arguments', 'message'),
    [
        (CrossEntropyLoss, dict(reduction='none'), "reduction='none': allowed are 'mean' and"),
        (DiceLoss, dict(reduction='none'), "reduction='none': allowed"),
        (FocalLoss, dict(reduction=None), 'reduction=None: allowed'),
        (LovaszLoss, dict(reduction='sum'), "reduction='sum' with per_image=False: allowed"),
        (LovaszLoss, dict(per_image=True, reduction='none'), "allowed are 'mean' and 'sum'"),
        (LovaszLoss, dict(loss_type='two'), "loss_type='two': allowed are 'multi_class'"),
        (LovaszLoss, dict(classes=[]), r'classes=\[\]: allowed'),
        (LovaszLoss, dict(classes=[-1]), r'classes=\[-1\]: allowed'),
        (LovaszLoss, dict(classes='none'), "classes='none': allowed"),
        (FocalLoss, dict(gamma=-1), 'gamma=-1: give a number, 0 or above'),
        (FocalLoss, dict(gamma=math.nan), 'gamma=nan'),
        (FocalLoss, dict(alpha=2), 'alpha=2: allowed'),
        (FocalLoss, dict(alpha=[0.5, 1.5]), 'alpha=1.5: allowed'),
        (FocalLoss, dict(alpha=None), 'alpha=None: allowed'),
        (DiceLoss, dict(eps=0), 'eps=0: give a number above 0'),
        (TverskyLoss, dict(smooth='1'), "smooth='1': give a number above 0"),
        (TverskyLoss, dict(alpha=-0.1), 'alpha=-0.1: give a number, 0 or above'),
        (DiceLoss, dict(loss_weight=-1), 'loss_weight=-1: give a number, 0 or above'),
        (CrossEntropyLoss, dict(loss_weight='1'), "loss_weight='1'"),
        (CrossEntropyLoss, dict(loss_name='ce'), "loss_name='ce': mmengine wants a name"),
    ],
)
def test_refused_arguments(kind, arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        kind(**arguments)


@pytest.mark.parametrize(
    ('loss', 'channels', 'message'),
    [
        (CrossEntropyLoss(), 1, 'its softmax is 1 whatever the network says; give use_sigmoid'),
        (CrossEntropyLoss(use_sigmoid=True, class_weight=[2]), 1, 'each of the 2 classes'),
        (DiceLoss(use_sigmoid=False), 1, 'leave out use_sigmoid=False'),
        (DiceLoss(ignore_index=0), 1, 'leaves no class to one channel'),
        (FocalLoss(class_weight=[1, 2]), 1, 'give alpha'),
        (FocalLoss(alpha=[0.1, 0.2]), 1, r'alpha=\[0.1, 0.2\]: give one number'),
        (FocalLoss(alpha=[0.1, 0.2]), 3, 'one for each of the 3 channels'),
        (TverskyLoss(class_weight=[1, 2]), 1, 'of which one channel has one: leave it out'),
        (LovaszLoss(), 1, "give 'binary' to one channel"),
        (LovaszLoss(loss_type='binary'), 3, "'binary' and 3 channels: give"),
        (LovaszLoss(loss_type='binary', class_weight=[1, 2]), 1, 'leave out class_weight'),
        (LovaszLoss(loss_type='binary', classes=[1]), 1, 'leave out class_weight and classes'),
        (LovaszLoss(classes=[0, 3]), 3, 'there are 3 classes, 0 to 2'),
    ],
)
def test_losses_that_do_not_fit_the_channels(loss, channels, message):
    with pytest.raises(InvalidArgument, match=message):
        loss.require_channels(channels)
    with pytest.raises(InvalidArgument, match=message):
        loss(*drawn(channels))


@pytest.mark.parametrize('loss', [*SEVERAL.values(), *ONE.values()])
def test_losses_are_registered_and_tell_of_themselves(loss):
    assert MODELS.get(f'rexdense.{type(loss).__name__}') is type(loss)
    assert 'loss_weight=1.0' in repr(loss)
