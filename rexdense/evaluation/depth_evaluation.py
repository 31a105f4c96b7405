"""The metrics of depth estimation, and the crops of the benchmarks."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rexdense.errors import DataError

DEPTH_METRICS = ('abs_rel', 'rmse', 'd1', 'd2', 'd3', 'sq_rel', 'rmse_log', 'log10', 'silog')
"""The names of the metrics, see :func:`evaluate_depth`."""


def _nyu(height: int, width: int) -> tuple[int, int, int, int]:
    if (height, width) != (480, 640):
        raise DataError(
            f'a depth map of {width} x {height} pixels (width x height): the crop nyu is for '
            '640 x 480; use crop=None'
        )
    return 45, 471, 41, 601


def _shares(top: float, bottom: float) -> Callable[[int, int], tuple[int, int, int, int]]:
    return lambda height, width: (
        int(top * height),
        int(bottom * height),
        int(0.03594771 * width),
        int(0.96405229 * width),
    )


CROPS: dict[str, Callable[[int, int], tuple[int, int, int, int]]] = {
    'nyu': _nyu,
    'garg': _shares(0.40810811, 0.99189189),
    'eigen': _shares(0.3324324, 0.91351351),
}
"""First and last + 1 row, then column, of the evaluated part of an image: of NYU Depth v2 (Eigen et
al. 2014; mmseg's ``nyu_crop``), and of KITTI by Garg et al. 2016 and by Eigen et al. 2014 (as
nianticlabs/monodepth2 ``evaluate_depth.py`` and BTS ``eval_with_pngs.py`` compute them)."""


def crop_window(crop: str | None, height: int, width: int) -> tuple[slice, slice]:
    """Return the rows and columns of a crop; all of them for None."""
    if crop is None:
        return slice(0, height), slice(0, width)
    top, bottom, left, right = CROPS[crop](height, width)
    return slice(top, bottom), slice(left, right)


def evaluate_depth(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return the metrics of one image over its measured pixels.

    ``abs_rel`` and ``sq_rel`` are the mean error and the mean squared error relative to the true
    depth. ``rmse`` is the root mean square error in metres, ``rmse_log`` that of the natural
    logarithm, and ``log10`` the mean error of the decimal logarithm. ``silog`` is the root of the
    mean square of the natural logarithm's error minus half the square of its mean (Eigen et al.
    2014, equation 4, with lambda 0.5, as in mmseg). ``d1``, ``d2`` and ``d3`` are the shares of
    pixels with a depth ratio below 1.25, 1.25 ** 2 and 1.25 ** 3.

    Args:
        predicted, true: Depths above 0 in metres, (pixels,), at least one.

    Example:
        >>> metrics = evaluate_depth(np.array([2.0, 3.0]), np.array([2.0, 2.0]))
        >>> metrics['abs_rel'], metrics['d1'], metrics['d3']
        (0.25, 0.5, 1.0)
    """
    predicted, true = predicted.astype(np.float64), true.astype(np.float64)
    ratio = np.maximum(predicted / true, true / predicted)
    difference, log_difference = predicted - true, np.log(predicted) - np.log(true)
    log_square = np.square(log_difference).mean()
    metrics = {
        'abs_rel': np.abs(difference / true).mean(),
        'sq_rel': (np.square(difference) / true).mean(),
        'rmse': np.sqrt(np.square(difference).mean()),
        'rmse_log': np.sqrt(log_square),
        'log10': np.abs(log_difference).mean() / np.log(10),
        # The difference is below 0 only by rounding.
        'silog': np.sqrt(max(log_square - 0.5 * log_difference.mean() ** 2, 0)),
        **{f'd{power}': (ratio < 1.25**power).mean() for power in (1, 2, 3)},
    }
    return {name: float(value) for name, value in metrics.items()}


def mean_metrics(images: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over images, as reported for NYU Depth v2 and KITTI."""
    return {name: float(np.mean([metrics[name] for metrics in images])) for name in DEPTH_METRICS}
