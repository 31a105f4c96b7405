"""``rexdense depth-baseline``: measure the mean depth of the training data as a prediction."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config, ConfigDict

from rexdense.cli.options import add_data_options
from rexdense.cli.parser import Parser
from rexdense.engine.config.data_root import use_data_root
from rexdense.engine.config.load import innermost_dataset, load_config, walk
from rexdense.engine.scope import import_scope
from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.depth_metric import DepthMetric
from rexdense.registry import DATASETS, METRICS, TRANSFORMS
from rexdense.text_table import text_table

LOADING, METRIC = 'rexdense.LoadDepth', 'rexdense.DepthMetric'


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense depth-baseline',
        description='Print the depth metrics of predicting the mean of the training data for the '
        'validation data: one number for all pixels, and one per pixel.',
    )
    result.add_argument('config', type=Path, help="a file, or a name of rexdense configs 'depth/*'")
    add_data_options(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the metrics of the mean training depth on the validation data of a config."""
    options = parser().parse_args(arguments)
    config = load_config(options.config)
    evaluator = config.get('val_evaluator') or {}
    if evaluator.get('type') != METRIC:
        raise InvalidArgument(
            f'{options.config} is measured by {evaluator.get("type")}; give a config of '
            f'configs/depth/, which are measured by {METRIC}'
        )
    import_scope(config)
    use_data_root(config, options, training=True)
    print(_table(config))


def _table(config: Config) -> str:
    metric = METRICS.build(config.val_evaluator)
    mean, map_of_means = mean_depth(_depth_maps(config.train_dataloader), metric)
    of_mean = _metrics(config, mean)
    columns = {f'mean depth, {mean:.3f} m': of_mean}
    if map_of_means is not None:
        columns['mean of each pixel'] = _metrics(config, map_of_means)
    rows = [
        [name.split('/')[-1], *(f'{metrics[name]:.4f}' for metrics in columns.values())]
        for name in of_mean
    ]
    return text_table([['metric', *columns], *rows])


def mean_depth(
    depth_maps: Iterable[np.ndarray], metric: DepthMetric
) -> tuple[float, np.ndarray | None]:
    """Return the mean of all depths that the metric counts. If all maps have the same size, also
    return the mean of each pixel, (height, width); a pixel without any counted depth has the
    overall mean. Raise DataError if no depth counts.

    Args:
        depth_maps: (height, width) each, in metres.
    """
    total, number, sums, counts = 0.0, 0, 0, 0
    sizes = set()
    for depth in depth_maps:
        measured = (depth > metric.min_depth) & (depth < metric.max_depth)
        depth = np.where(measured, depth, 0).astype(np.float64)
        total, number = total + depth.sum(), number + measured.sum()
        sizes.add(depth.shape)
        if len(sizes) == 1:
            sums, counts = sums + depth, counts + measured
    if not number:
        raise DataError(
            f'no training image has a depth between {metric.min_depth} and {metric.max_depth} m'
        )
    mean = float(total / number)
    if len(sizes) > 1:
        return mean, None
    return mean, np.where(counts > 0, sums / np.maximum(counts, 1), mean)


def _depth_maps(dataloader: ConfigDict) -> Iterator[np.ndarray]:
    """Yield the depth maps of a data set as stored, in metres."""
    section = innermost_dataset(dataloader)
    loading = [each for each in walk(section.pipeline) if each.get('type') == LOADING]
    if not loading:
        raise InvalidArgument(f'the pipeline of {section.type} has no {LOADING}; add it')
    load, dataset = TRANSFORMS.build(loading[0]), DATASETS.build(section | dict(pipeline=[]))
    for sample in dataset:
        yield load(sample | dict(may_be_empty=True))['gt_depth_map']


def _metrics(config: Config, prediction: float | np.ndarray) -> dict[str, float]:
    """Return the metrics of the same prediction for all validation images."""
    metric, number = METRICS.build(config.val_evaluator), 0
    for depth in _depth_maps(config.val_dataloader):
        predicted = np.broadcast_to(np.float32(prediction), depth.shape)
        sample = {
            'pred_depth_map': {'data': torch.tensor(predicted)[None]},
            'gt_depth_map': {'data': torch.tensor(depth)[None]},
        }
        metric.process({}, [sample])
        number += 1
    return metric.evaluate(number)
