"""The metrics of depth estimation as a metric of mmengine's evaluator."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from rexdense.arch.checks import require_positive
from rexdense.errors import DataError, InvalidArgument, suggest
from rexdense.evaluation.depth_evaluation import CROPS, crop_window, evaluate_depth, mean_metrics
from rexdense.registry import METRICS


@METRICS.register_module()
class DepthMetric(BaseMetric):
    """AbsRel, RMSE, delta < 1.25 and further metrics of depth maps, averaged over images.

    The samples and metrics are those of mmseg's ``DepthMetric``, see
    :func:`~rexdense.evaluation.depth_evaluation.evaluate_depth`, with these differences: a map
    without a counted pixel is left out and reported, where mmseg's metrics become NaN; KITTI's
    crops are supported; metrics are stored per image instead of pixels.

    Args:
        min_depth, max_depth: Range of the true depth, in metres, in which pixels count. NaN, 0 and
            infinity never count. Predictions are clipped to the range, as in the benchmarks.
        crop: 'nyu', 'garg' or 'eigen', see ``rexdense.evaluation.depth_evaluation.CROPS``.
        collect_device, prefix: See mmengine's ``BaseMetric``.

    Raises:
        InvalidArgument: an argument is out of range.
    """

    default_prefix = 'depth'

    def __init__(
        self,
        min_depth: float = 1e-3,
        max_depth: float = 80.0,
        crop: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        require_positive('min_depth', min_depth)
        if max_depth != math.inf:
            require_positive('max_depth', max_depth)
        if not min_depth < max_depth:
            raise InvalidArgument(
                f'min_depth={min_depth}, max_depth={max_depth}: give 0 < min_depth < max_depth'
            )
        if crop is not None and crop not in CROPS:
            raise InvalidArgument(f'crop={crop!r}: {suggest(crop, CROPS)}, or None')
        self.min_depth, self.max_depth, self.crop = min_depth, max_depth, crop

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Score a batch of samples with ``pred_depth_map`` and ``gt_depth_map``; raise DataError if
        the two differ in size, or if the size does not fit the crop."""
        for sample in data_samples:
            predicted = sample['pred_depth_map']['data'].squeeze(0).float().cpu().numpy()
            true = sample['gt_depth_map']['data'].squeeze(0).float().cpu().numpy()
            if predicted.shape != true.shape:
                raise DataError(
                    f'{sample.get("img_path", "an image")}: the predicted depth map is of '
                    f'{predicted.shape} pixels (height, width), the true one of {true.shape}; load '
                    'it after images are resized'
                )
            self.results.append(self._score(predicted, true))

    def _score(self, predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
        """Return the metrics of one image; an empty dict if no pixel counts.

        It is not None, which mmengine would drop when it collects the results of several processes,
        before it cuts off the images that pad them.
        """
        window = crop_window(self.crop, *true.shape)
        predicted, true = predicted[window], true[window]
        counts = (true > self.min_depth) & (true < self.max_depth)
        if not counts.any():
            return {}
        return evaluate_depth(predicted[counts].clip(self.min_depth, self.max_depth), true[counts])

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Return the mean metrics by name; raise DataError if no image has a counted pixel."""
        if not results:
            raise DataError('no image was evaluated: the data set measured has none')
        measured = [metrics for metrics in results if metrics]
        left_out = len(results) - len(measured)
        where = f'between {self.min_depth} and {self.max_depth} m'
        if self.crop:
            where += f' in the crop {self.crop}'
        if not measured:
            raise DataError(
                f'none of the {len(results)} depth maps has a depth {where}; look at their units '
                '(units_per_metre of rexdense.LoadDepth)'
            )
        if left_out:
            print_log(
                f'{left_out} of {len(results)} depth maps have no depth {where} and were left out',
                logger='current',
                level=logging.WARNING,
            )
        return mean_metrics(measured)
