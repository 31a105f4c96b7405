"""Scale-invariant logarithmic loss: mmseg's values, and gradients where mmseg's are NaN."""

import math

import pytest
import torch

pytest.importorskip('mmengine')

from rexdense.errors import InvalidArgument
from rexdense.models.losses import SiLogLoss
from rexdense.registry import MODELS


def maps(images=2):
    torch.manual_seed(0)
    predicted, target = torch.rand(2, images, 1, 6, 5) * 5 + 0.5
    target[:, :, ::2, 1] = 0
    return predicted.requires_grad_(), target


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
def test_values_and_gradients_are_mmsegs(reduction):
    pytest.importorskip('mmseg')
    predicted, target = maps()
    theirs = MODELS.build(dict(type='mmseg.SiLogLoss', reduction=reduction, loss_weight=0.5))
    ours = SiLogLoss(reduction=reduction, loss_weight=0.5)
    gradients = []
    for loss in (ours, theirs):
        (gradient,) = torch.autograd.grad(loss(predicted, target), predicted)
        gradients.append(gradient)
    torch.testing.assert_close(ours(predicted, target), theirs(predicted, target))
    torch.testing.assert_close(*gradients)


def test_by_hand():
    predicted, target = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[2.0, 2.0]]]])
    first, second = math.log(2), math.log(2 / 3)
    expected = (first**2 + second**2) / 2 - ((first + second) / 2) ** 2 / 2
    assert float(SiLogLoss()(predicted, target)) == pytest.approx(expected**0.5)


@pytest.mark.parametrize('measured', [0, 1, 30])
@pytest.mark.parametrize('right', [0, 1, 2])
def test_a_right_prediction_and_few_measured_pixels_have_finite_gradients(measured, right):
    predicted, target = maps()
    target = target.clamp(min=0.3)
    target[:right] = predicted[:right].detach()
    target.flatten(1)[:, measured:] = 0
    value = SiLogLoss()(predicted, target)
    value.backward()
    assert value.isfinite() and predicted.grad.isfinite().all()
    assert not predicted.grad[:right].any()
    assert predicted.grad[right:].any() == (measured > 0 and right < 2)
    if not measured:
        assert value == 0


@pytest.mark.parametrize('missing', [0, -1, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('said', [0, -1, math.inf, math.nan])
def test_predictions_at_unmeasured_pixels_do_not_count(missing, said):
    predicted, target = maps()
    expected = SiLogLoss()(predicted, target)
    with torch.no_grad():
        predicted[target == 0] = said
    target[target == 0] = missing
    value = SiLogLoss()(predicted, target)
    value.backward()
    torch.testing.assert_close(value, expected)
    assert predicted.grad.isfinite().all()


@pytest.mark.parametrize('error', [0, 1e-30, 1e-9, 1e-7, 1e-4])
def test_next_to_right_predictions_have_finite_gradients(error):
    target = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    predicted = (target + error).requires_grad_()
    SiLogLoss()(predicted, target).backward()
    assert predicted.grad.isfinite().all() and predicted.grad.abs().max() < 1


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    predicted, target = maps()
    half = predicted.detach().to(dtype).requires_grad_()
    value = SiLogLoss()(half, target)
    torch.testing.assert_close(value, SiLogLoss()(half.float(), target))
    value.backward()
    assert half.grad.isfinite().all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(reduction='none'), "reduction='none': allowed"),
        (dict(eps=0), 'eps=0: give a number above 0'),
        (dict(loss_weight=-1), 'loss_weight=-1'),
        (dict(loss_name='silog'), "loss_name='silog': mmengine wants"),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        SiLogLoss(**arguments)
