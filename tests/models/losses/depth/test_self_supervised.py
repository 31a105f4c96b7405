"""monodepth2's losses: each part, and depth found from rendered camera motion."""

import pytest
import torch
from torch import nn

from rexdense.errors import InvalidArgument
from rexdense.models.losses.depth import (
    SelfSupervisedDepthLoss,
    back_project,
    depth_to_disparity,
    disparity_to_depth,
    minimum_reprojection,
    photometric_error,
    pose_matrix,
    project,
    smoothness_loss,
    ssim_loss,
    transform_points,
    warp,
)
from rexdense.models.unet import ReXDepth
from tests.models.rendered_plane import FRONTAL, INTRINSICS, SIZE, SLANTED, motion

planes = pytest.mark.parametrize('plane', [FRONTAL, SLANTED], ids=['frontal', 'slanted'])
POSES = [motion(0.25), motion(-0.2, 0.1, -0.15, turn=0.02)]
STILL = torch.eye(4)[None]


def views(plane, poses=POSES):
    """Return the target view, its depth, and a view per pose."""
    target, depth = plane.seen_from(STILL, INTRINSICS, SIZE)
    return target, depth, [plane.seen_from(pose, INTRINSICS, SIZE)[0] for pose in poses]


def test_depth_and_disparity_are_inverse():
    depth = torch.tensor([0.1, 0.5, 3.0, 100.0])
    disparity = depth_to_disparity(depth, 0.1, 100)
    torch.testing.assert_close(disparity[[0, -1]], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(disparity_to_depth(disparity, 0.1, 100), depth)


def test_a_pose_turns_then_shifts():
    pose = pose_matrix(torch.tensor([[0, 0, torch.pi / 2]]), torch.tensor([[1.0, 2, 3]]))
    point = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    expected = torch.tensor([1.0, 3, 3]).view(1, 3, 1, 1)
    torch.testing.assert_close(transform_points(point, pose), expected)
    # There must be no division by the angle: pose networks start at 0, and need a gradient there.
    angle = torch.zeros(1, 3, requires_grad=True)
    pose_matrix(angle, torch.zeros(1, 3))[0, 0, 1].backward()
    assert angle.grad.tolist() == [[0, 0, -1]]


def test_projection_undoes_back_projection():
    depth = torch.rand(1, 1, 5, 7) + 1
    pixels = project(back_project(depth, INTRINSICS), INTRINSICS)
    torch.testing.assert_close(pixels[0, 0], torch.arange(7.0).expand(5, 7))
    torch.testing.assert_close(pixels[0, 1], torch.arange(5.0)[:, None].expand(5, 7))


def test_points_behind_the_camera_stay_finite():
    source = torch.rand(1, 3, 8, 8)
    depth = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    warped = warp(source, depth, motion(0.0, z=-0.5), INTRINSICS)
    warped.sum().backward()
    assert warped.isfinite().all() and depth.grad.isfinite().all()


def test_a_shift_by_a_pixel():
    source = torch.rand(1, 3, 6, 9)
    depth = torch.full((1, 1, 6, 9), 2.0)
    # The source camera sees each point 60 * 0.1 / 2 = 3 columns farther to the right.
    warped = warp(source, depth, motion(0.1), INTRINSICS)
    torch.testing.assert_close(warped[..., :6], source[..., 3:], rtol=0, atol=1e-5)
    torch.testing.assert_close(warped[..., 6:], source[..., -1:].expand(1, 3, 6, 3))
    torch.testing.assert_close(warp(source, depth, STILL, INTRINSICS), source, rtol=0, atol=1e-5)


@planes
def test_the_true_depth_warps_a_source_to_the_target(plane):
    target, depth, sources = views(plane)
    for source, pose in zip(sources, POSES, strict=True):
        error = (warp(source, depth, pose, INTRINSICS) - target).abs()[..., 6:-6, 10:-10]
        assert error.mean() < 0.003 < (source - target).abs().mean() / 5


def test_ssim():
    image, other = torch.rand(2, 1, 3, 12, 10)
    assert (ssim_loss(image, image) == 0).all()
    assert ssim_loss(image, other).mean() > 0.3
    torch.testing.assert_close(ssim_loss(image, other), ssim_loss(other, image))
    # One window, computed by hand.
    x, y = image[0, 0, 3:6, 3:6], other[0, 0, 3:6, 3:6]
    covariance = (x * y).mean() - x.mean() * y.mean()
    ssim = (2 * x.mean() * y.mean() + 1e-4) * (2 * covariance + 9e-4)
    ssim /= x.mean() ** 2 + y.mean() ** 2 + 1e-4
    ssim /= x.var(correction=0) + y.var(correction=0) + 9e-4
    torch.testing.assert_close(ssim_loss(image, other)[0, 0, 4, 4], (1 - ssim) / 2)


def test_photometric_error_mixes_ssim_and_difference():
    image, other = torch.rand(2, 2, 3, 8, 8)
    absolute = (image - other).abs().mean(1, keepdim=True)
    torch.testing.assert_close(photometric_error(image, other, 0), absolute)
    mixed = 0.85 * ssim_loss(image, other).mean(1, keepdim=True) + 0.15 * absolute
    torch.testing.assert_close(photometric_error(image, other), mixed)


def test_the_best_source_counts_at_each_pixel():
    target = torch.rand(1, 3, 8, 10)
    left, right = target.clone(), target.clone()
    left[..., :5], right[..., 5:] = 0, 0
    found = minimum_reprojection(target, [left, right], [left, right], 0, auto_mask=False)
    assert (found.error == 0).all() and found.moving.all() and found.loss == 0


@pytest.mark.parametrize('size', [(1, 1), (1, 4), (5, 6)])
@pytest.mark.parametrize('value', [0.0, 0.5])
def test_smoothness_of_a_flat_disparity_has_a_gradient(size, value):
    disparity = torch.full((1, 1, *size), value, requires_grad=True)
    loss = smoothness_loss(disparity, torch.rand(1, 3, *size))
    loss.backward()
    assert loss == 0 and disparity.grad.isfinite().all()


@pytest.mark.parametrize('auto_mask', [True, False])
@pytest.mark.parametrize('value', [0.0, 1.0])
def test_like_views_and_extreme_disparities_have_finite_gradients(value, auto_mask):
    view = torch.rand(1, 3, *SIZE)
    for target in (view, torch.zeros_like(view), torch.ones_like(view)):
        disparity = torch.full((1, 1, *SIZE), value, requires_grad=True)
        losses = SelfSupervisedDepthLoss(auto_mask=auto_mask)(
            {('disp', 0): disparity}, target, [target], [STILL], INTRINSICS
        )
        total = sum(losses.values())
        total.backward()
        assert total.isfinite() and disparity.grad.isfinite().all()


def test_nothing_counts_where_nothing_moves():
    target = torch.rand(1, 3, *SIZE)
    disparity = torch.full((1, 1, *SIZE), 0.02, requires_grad=True)
    arguments = (target, [target, target], POSES, INTRINSICS)
    losses = SelfSupervisedDepthLoss()({('disp', 0): disparity}, *arguments)
    assert losses['loss_photometric_0'] == 0
    without = SelfSupervisedDepthLoss(auto_mask=False)({('disp', 0): disparity}, *arguments)
    assert without['loss_photometric_0'] > 0.01


def test_objects_that_move_with_the_camera_do_not_count():
    target, depth, (source,) = views(FRONTAL, POSES[:1])
    # A car ahead has the same place in both views.
    source[..., 10:30, 20:40] = target[..., 10:30, 20:40]
    warped = warp(source, depth, POSES[0], INTRINSICS)
    moving = minimum_reprojection(target, [warped], [source]).moving[0, 0]
    assert not moving[11:29, 21:39].any()
    assert moving[32:, 2:-8].float().mean() > 0.95


def test_smoothness():
    image = torch.full((1, 3, 6, 8), 0.5)
    disparity = torch.rand(1, 1, 6, 8) + 0.5
    assert smoothness_loss(torch.full_like(disparity, 0.3), image) == 0
    rough = smoothness_loss(disparity, image)
    torch.testing.assert_close(smoothness_loss(2 * disparity, image), rough)
    step = torch.ones(1, 1, 6, 8)
    step[..., 4:] = 3
    edge = image.clone()
    edge[..., 4:] = 1
    # A step of 2 at a mean of 2, in one of 7 pairs of columns; the edge in the image is 0.5.
    torch.testing.assert_close(smoothness_loss(step, image), torch.tensor(1 / 7))
    torch.testing.assert_close(
        smoothness_loss(step, edge), torch.tensor(1 / 7) * (-0.5 * torch.ones(())).exp()
    )
    assert smoothness_loss(torch.ones(1, 1, 1, 1), torch.ones(1, 3, 1, 1)) == 0


class Disparities(nn.Module):
    """A disparity map per scale, with a free value in each pixel of an 8 x 6 grid."""

    def __init__(self, scales) -> None:
        super().__init__()
        start = depth_to_disparity(torch.tensor(7.0), 0.1, 100).logit()
        self.maps = nn.ParameterDict(
            {str(scale): nn.Parameter(start * torch.ones(1, 1, 6, 8)) for scale in scales}
        )

    def forward(self):
        return {
            ('disp', int(scale)): nn.functional.interpolate(
                logits, [side // 2 ** int(scale) for side in SIZE], mode='bilinear'
            ).sigmoid()
            for scale, logits in self.maps.items()
        }


@pytest.fixture
def one_thread():
    """Use one thread: small maps are computed faster."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@planes
def test_depth_is_found_from_camera_motion(plane, one_thread):
    target, depth, sources = views(plane)
    model, loss = Disparities((0, 1)), SelfSupervisedDepthLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(80):
        optimizer.zero_grad()
        sum(loss(model(), target, sources, POSES, INTRINSICS).values()).backward()
        optimizer.step()
    for disparity in model().values():
        full = nn.functional.interpolate(disparity, SIZE, mode='bilinear')
        error = (disparity_to_depth(full, 0.1, 100) / depth - 1).abs()
        assert error.mean() < 0.01 and error.quantile(0.99) < 0.05


def test_every_scale_of_the_network_gets_gradients():
    torch.manual_seed(0)
    model = ReXDepth(width_mult=0.5)
    target, _, sources = views(SLANTED)
    losses = SelfSupervisedDepthLoss()(model(target), target, sources, POSES, INTRINSICS)
    assert list(losses) == [
        f'loss_{term}_{scale}' for scale in range(4) for term in ('photometric', 'smoothness')
    ]
    sum(losses.values()).backward()
    for stride in (1, 2, 4, 8):
        gradients = [value.grad for value in model.head.outputs[str(stride)].parameters()]
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.abs().max() > 0 for gradient in gradients), stride


def test_smoothness_is_halved_from_scale_to_scale():
    torch.manual_seed(0)
    disparity = torch.rand(1, 1, *SIZE) * 0.1
    target, _, sources = views(FRONTAL)
    losses = SelfSupervisedDepthLoss()(
        {('disp', 0): disparity, ('disp', 2): disparity, 'other': None},
        target,
        sources,
        POSES,
        INTRINSICS,
    )
    torch.testing.assert_close(losses['loss_smoothness_0'], 4 * losses['loss_smoothness_2'])
    torch.testing.assert_close(losses['loss_photometric_0'], losses['loss_photometric_2'])
    expected = smoothness_loss(disparity, target) * 1e-3 / 2
    torch.testing.assert_close(losses['loss_smoothness_0'], expected)


def test_half_precision_disparities():
    target, _, sources = views(FRONTAL)
    with torch.autocast('cpu', torch.bfloat16):
        disparity = torch.full((1, 1, *SIZE), 0.02, dtype=torch.bfloat16)
        losses = SelfSupervisedDepthLoss()(
            {('disp', 0): disparity}, target.bfloat16(), sources, POSES, INTRINSICS
        )
    assert {value.dtype for value in losses.values()} == {torch.float32}


def test_refused_arguments():
    target, _, sources = views(FRONTAL)
    loss, disparities = SelfSupervisedDepthLoss(), {('disp', 0): torch.ones(1, 1, *SIZE)}
    with pytest.raises(InvalidArgument, match=r'min_depth=2, max_depth=1: give 0 < min_depth'):
        SelfSupervisedDepthLoss(min_depth=2, max_depth=1)
    with pytest.raises(InvalidArgument, match=r'ssim_weight=2: allowed are 0'):
        SelfSupervisedDepthLoss(ssim_weight=2)
    with pytest.raises(InvalidArgument, match=r"the keys \['depth'\]: give at least \('disp', 0\)"):
        loss({'depth': None}, target, sources, POSES, INTRINSICS)
    with pytest.raises(InvalidArgument, match='2 sources and 1 poses: give at least one source'):
        loss(disparities, target, sources, POSES[:1], INTRINSICS)
