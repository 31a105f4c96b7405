"""The metrics of depth: by hand, against mmseg's, with masks of zeros and NaN, and the crops."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')

from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.depth_evaluation import DEPTH_METRICS, crop_window, evaluate_depth
from rexdense.evaluation.depth_metric import DepthMetric
from rexdense.registry import METRICS
from tests.mmengine_log import mmengine_messages


def sample(predicted, true) -> dict:
    """A sample as mmengine's evaluator hands it to a metric."""
    return {
        'pred_depth_map': {'data': torch.as_tensor(predicted, dtype=torch.float32)[None]},
        'gt_depth_map': {'data': torch.as_tensor(true, dtype=torch.float32)[None]},
        'img_path': 'a.png',
    }


def metrics(*samples, **options) -> dict[str, float]:
    metric = DepthMetric(**options)
    for each in samples:
        metric.process({}, [each])
    return metric.evaluate(len(samples))


def random_samples(count=3, size=(20, 30)):
    rng = np.random.default_rng(0)
    for _ in range(count):
        true = rng.uniform(0.5, 9, size)
        true[rng.random(size) < 0.3] = 0
        yield sample(true.clip(0.5) * rng.uniform(0.6, 1.7, size), true)


def test_by_hand():
    found = evaluate_depth(np.array([1.0, 3.0, 4.0]), np.array([2.0, 2.0, 4.0]))
    log = np.log(np.array([1 / 2, 3 / 2, 1]))
    assert found['abs_rel'] == pytest.approx((0.5 + 0.5) / 3)
    assert found['sq_rel'] == pytest.approx((0.5 + 0.5) / 3)
    assert found['rmse'] == pytest.approx((2 / 3) ** 0.5)
    assert found['rmse_log'] == pytest.approx((log**2).mean() ** 0.5)
    assert found['silog'] == pytest.approx(((log**2).mean() - log.mean() ** 2 / 2) ** 0.5)
    assert found['log10'] == pytest.approx((np.log10(2) + np.log10(1.5)) / 3)
    assert (found['d1'], found['d2'], found['d3']) == pytest.approx((1 / 3, 2 / 3, 2 / 3))


def test_images_weigh_the_same_however_many_pixels_count():
    one = sample([[2.0, 9, 9, 9]], [[1.0, 0, 0, 0]])
    four = sample([[1.0, 1, 1, 1]], [[1.0, 1, 1, 1]])
    assert metrics(one, four)['depth/abs_rel'] == 0.5


@pytest.mark.parametrize('crop', [None, 'nyu'])
def test_they_are_those_of_mmseg(crop):
    pytest.importorskip('mmseg')
    samples = list(random_samples(size=(480, 640)))
    stock = METRICS.build(
        dict(
            type='mmseg.DepthMetric',
            min_depth_eval=1e-3,
            max_depth_eval=10.0,
            crop_type=crop and 'nyu_crop',
        )
    )
    stock.process({}, samples)
    expected = stock.evaluate(len(samples))
    found = metrics(*samples, max_depth=20.0, crop=crop)
    assert list(found) == [f'depth/{name}' for name in DEPTH_METRICS]
    for name in DEPTH_METRICS:
        assert found[f'depth/{name}'] == pytest.approx(expected[name], rel=1e-4), name


def test_zeros_nan_and_infinity_do_not_count():
    predicted, true = np.full((2, 4), 3.0), np.full((2, 4), 2.0)
    expected = metrics(sample(predicted, true))
    for value in (0, -1, np.nan, np.inf, 90):
        masked = true.copy()
        masked[0, :3] = value
        found = predicted.copy()
        found[0, :3] = 70
        assert metrics(sample(found, masked)) == expected


def test_an_image_without_depth_is_left_out_and_told_of(caplog):
    good = list(random_samples())
    empty = sample(np.ones((4, 4)), np.full((4, 4), np.nan))
    with mmengine_messages(caplog) as messages:
        assert metrics(good[0], empty, *good[1:]) == metrics(*good)
    assert messages == [
        '1 of 4 depth maps have no depth between 0.001 and 80.0 m and were left out'
    ]


def test_no_image_has_depth():
    message = (
        r'none of the 2 depth maps has a depth between 0.001 and 80.0 m in the crop garg; look at '
        r'their units \(units_per_metre of rexdense.LoadDepth\)'
    )
    with pytest.raises(DataError, match=message):
        metrics(*[sample(np.ones((8, 8)), np.full((8, 8), 2000.0))] * 2, crop='garg')


def test_nothing_evaluated():
    with pytest.raises(DataError, match='no image was evaluated: the data set measured has none'):
        metrics()


def test_predictions_are_clipped_to_the_range():
    truth = np.full((2, 2), 10.0)
    beyond = sample(np.full((2, 2), 1000.0), truth)
    assert metrics(beyond, max_depth=20)['depth/abs_rel'] == pytest.approx(1)
    assert metrics(sample(np.zeros((2, 2)), truth), min_depth=1)['depth/abs_rel'] == 0.9


def test_nan_predictions_are_seen():
    predicted = np.full((2, 2), 3.0)
    predicted[0, 0] = np.nan
    assert np.isnan(metrics(sample(predicted, np.full((2, 2), 2.0)))['depth/abs_rel'])


def test_crops():
    assert crop_window(None, 20, 30) == (slice(0, 20), slice(0, 30))
    assert crop_window('nyu', 480, 640) == (slice(45, 471), slice(41, 601))
    # The frames of KITTI, as BTS's evaluation computes them.
    assert crop_window('garg', 375, 1242) == (slice(153, 371), slice(44, 1197))
    assert crop_window('eigen', 375, 1242) == (slice(124, 342), slice(44, 1197))
    true, predicted = np.zeros((480, 640)), np.full((480, 640), 2.0)
    true[:45], true[45:] = 1, 2
    assert metrics(sample(predicted, true), crop='nyu')['depth/abs_rel'] == 0
    with pytest.raises(DataError, match=r'30 x 20 pixels .*: the crop nyu is for 640 x 480'):
        metrics(*random_samples(1), crop='nyu')


def test_refused_arguments_and_samples():
    with pytest.raises(InvalidArgument, match="crop='gard': did you mean 'garg'"):
        DepthMetric(crop='gard')
    with pytest.raises(InvalidArgument, match='min_depth=5, max_depth=2: give 0 < min_depth'):
        DepthMetric(min_depth=5, max_depth=2)
    with pytest.raises(InvalidArgument, match='max_depth=nan: give a number above 0'):
        DepthMetric(max_depth=float('nan'))
    with pytest.raises(DataError, match=r'a.png: the predicted depth map is of \(2, 3\) pixels'):
        metrics(sample(np.ones((2, 3)), np.ones((4, 6))))
