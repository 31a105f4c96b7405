"""The gradient loss of depth maps, compared with explicit sums."""

import math

import pytest
import torch

from rexdense.errors import InvalidArgument
from rexdense.models.losses.depth import DepthGradientLoss, valid_depth
from rexdense.registry import MODELS


def by_hand(predicted, target, scales):
    """Return the loss of one image, pair by pair."""
    total = 0.0
    for scale in range(scales):
        step = 2**scale
        rows = range(0, predicted.shape[2], step)
        columns = range(0, predicted.shape[3], step)
        for down, right in ((0, step), (step, 0)):
            changes = []
            for row in rows:
                for column in columns:
                    pixels = ((row, column), (row + down, column + right))
                    if pixels[1][0] not in rows or pixels[1][1] not in columns:
                        continue
                    truths = [float(target[0, 0, y, x]) for y, x in pixels]
                    if not all(0 < truth < math.inf for truth in truths):
                        continue
                    first, second = (
                        math.log(predicted[0, 0, y, x]) - math.log(truth)
                        for (y, x), truth in zip(pixels, truths, strict=True)
                    )
                    changes.append(abs(second - first))
            total += sum(changes) / len(changes) if changes else 0
    return total


@pytest.mark.parametrize('size', [(8, 12), (7, 5), (1, 6)])
@pytest.mark.parametrize('scales', [1, 4])
def test_it_is_the_sum_over_scales_of_mean_changes(size, scales):
    torch.manual_seed(0)
    predicted, target = torch.rand(2, 1, 1, *size) + 0.5
    target.view(-1)[::5] = torch.tensor([0, math.nan, math.inf, -1]).repeat(9)[
        : target.view(-1)[::5].numel()
    ]
    loss = DepthGradientLoss(scales)(predicted, target)
    assert float(loss) == pytest.approx(by_hand(predicted, target, scales), rel=1e-5)


def test_scale_does_not_matter_and_edges_do():
    target = torch.ones(1, 1, 16, 16)
    target[..., 8:] = 4
    loss = DepthGradientLoss()
    assert loss(2.5 * target, target) < 1e-5
    shifted = target.roll(1, dims=3)
    assert loss(shifted, target) > loss(target.sqrt(), target) > 0.1


def test_pixels_without_depth_get_no_gradient():
    target = torch.rand(2, 1, 9, 9) + 1
    target[0, 0, 3] = math.nan
    target[1] = 0
    predicted = torch.rand(2, 1, 9, 9).add(1).requires_grad_()
    DepthGradientLoss()(predicted, target).backward()
    assert predicted.grad.isfinite().all()
    assert predicted.grad[0, 0, 0].abs().max() > 0
    assert (predicted.grad[0, 0, 3] == 0).all() and (predicted.grad[1] == 0).all()


def test_nothing_measured_is_no_loss():
    predicted = torch.ones(1, 1, 4, 4, requires_grad=True)
    loss = DepthGradientLoss()(predicted, torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss == 0 and (predicted.grad == 0).all()


@pytest.mark.parametrize('said', [0, -1, math.inf, math.nan])
def test_predictions_at_unmeasured_pixels_do_not_count(said):
    target = torch.rand(1, 1, 6, 6) + 1
    target[..., ::2, 3] = 0
    predicted = torch.rand(1, 1, 6, 6) + 1
    expected = DepthGradientLoss()(predicted, target)
    predicted[target == 0] = said
    predicted.requires_grad_()
    value = DepthGradientLoss()(predicted, target)
    value.backward()
    assert value == expected and predicted.grad.isfinite().all()


@pytest.mark.parametrize('size', [(1, 1), (1, 2), (6, 6)])
def test_a_right_prediction_and_a_single_pixel_have_gradients(size):
    target = torch.rand(1, 1, *size) + 1
    predicted = target.clone().requires_grad_()
    loss = DepthGradientLoss()(predicted, target)
    loss.backward()
    assert loss == 0 and (predicted.grad == 0).all()


def test_valid_depth():
    depth = torch.tensor([0, -1, math.nan, math.inf, 0.2, 10, 10.5])
    assert valid_depth(depth, 10).tolist() == [False] * 4 + [True, True, False]


def test_it_is_registered_and_weighted():
    predicted, target = torch.rand(2, 1, 1, 8, 8) + 1
    built = MODELS.build(dict(type='rexdense.DepthGradientLoss', loss_weight=0.5, scales=2))
    torch.testing.assert_close(
        built(predicted, target), DepthGradientLoss(2)(predicted, target) / 2
    )
    assert built.loss_name == 'loss_gradient'


def test_refused_arguments():
    with pytest.raises(InvalidArgument, match='scales=0: give a whole number above 0'):
        DepthGradientLoss(scales=0)
    with pytest.raises(InvalidArgument, match="loss_name='gradient': mmengine wants"):
        DepthGradientLoss(loss_name='gradient')
