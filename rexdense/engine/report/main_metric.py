"""The metric that selects the best weights of a run."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from rexdense.engine.config.load import as_list, class_name
from rexdense.errors import InvalidArgument

LEAST_GAIN = 1e-6
"""Smallest gain of a better metric, so that a constant metric stops a run. With 0, mmengine's hook
would count an equal value as a gain."""


class MainMetric(NamedTuple):
    """A metric of a validation.

    Attributes:
        name: The name in mmengine's log, such as ``coco/bbox_mAP``.
        rule: 'greater' or 'less': which values are better.
    """

    name: str
    rule: str = 'greater'

    def best(self, rows: Sequence[Mapping[str, float]]) -> Mapping[str, float] | None:
        """Return the logged row with the best value, the first of equal ones; None without any."""
        there = [row for row in rows if not math.isnan(row.get(self.name, math.nan))]
        if not there:
            return None
        choose = max if self.rule == 'greater' else min
        return choose(there, key=lambda row: row[self.name])


# By the class of a metric, of rexdense or of mmdet and its like: the prefix of its values, and the
# main value.
_METRICS = {
    'CocoMetric': ('coco', MainMetric('bbox_mAP')),
    'SegmentationMetric': ('segmentation', MainMetric('mIoU')),
    'IoUMetric': ('', MainMetric('mIoU')),
    'ClassificationMetric': ('classification', MainMetric('top1')),
    'DepthMetric': ('depth', MainMetric('abs_rel', 'less')),
}


def main_metric(config: Config) -> MainMetric | None:
    """Return the main metric of a config's task: AP of masks, or of boxes if there are no masks;
    mIoU; top-1; for depth, the absolute relative error. None without a validation, or with only
    other metrics."""
    for section in as_list(config.get('val_evaluator')):
        if not isinstance(section, Mapping):
            continue
        found = _METRICS.get(class_name(section))
        if found is not None:
            prefix, metric = found
            prefix = section.get('prefix') or prefix
            metrics = section.get('metric')
            if 'segm' in (metrics if isinstance(metrics, (str, list, tuple)) else ()):
                metric = metric._replace(name=metric.name.replace('bbox', 'segm'))
            return metric._replace(name=f'{prefix}/{metric.name}' if prefix else metric.name)
    return None


def kept_metric(config: Mapping[str, Any]) -> MainMetric | None:
    """Return the metric by which a run with a config keeps its best checkpoint. None if it keeps
    none, or uses several metrics or one that mmengine picks."""
    hooks = config.get('default_hooks')
    checkpoint = hooks.get('checkpoint') if isinstance(hooks, Mapping) else None
    if not isinstance(checkpoint, Mapping):
        return None
    names = checkpoint.get('save_best')
    name = names[0] if isinstance(names, (list, tuple)) and len(names) == 1 else names
    if not isinstance(name, str) or name == 'auto':
        return None
    rule = checkpoint.get('rule')
    rule = rule[0] if isinstance(rule, (list, tuple)) and len(rule) == 1 else rule
    if rule is None:
        try:
            rule = CheckpointHook(save_best=name).rules[0]
        except (AssertionError, KeyError, ValueError):
            return None
    return MainMetric(name, rule) if rule in ('greater', 'less') else None


def keep_best(config: Config) -> None:
    """Make a run keep the best checkpoint by the main metric, unless the config names a metric or
    keeps none. Raise InvalidArgument if it is unknown whether higher or lower values of the named
    metric are better."""
    metric = main_metric(config)
    checkpoint = (config.get('default_hooks') or {}).get('checkpoint')
    if checkpoint is None:
        return
    if metric is not None and 'save_best' not in checkpoint:
        checkpoint.save_best = metric.name
        checkpoint.rule = metric.rule
    if checkpoint.get('save_best'):
        try:
            CheckpointHook(save_best=checkpoint.save_best, rule=checkpoint.get('rule'))
        except (AssertionError, KeyError, ValueError) as error:
            raise InvalidArgument(
                f'default_hooks.checkpoint.save_best={checkpoint.save_best}: {error}; give a '
                'metric of the validation, and default_hooks.checkpoint.rule=greater or less'
            ) from error


def stop_early(config: Config, patience: int) -> None:
    """Make a run end if its main metric has not improved for ``patience`` validations. Raise
    InvalidArgument if it has no such metric."""
    metric = main_metric(config)
    if metric is None:
        raise InvalidArgument(
            f'--early-stop {patience}: the config validates by none of {", ".join(_METRICS)}; add '
            "a val_evaluator, or mmengine's EarlyStoppingHook to custom_hooks"
        )
    hook = dict(
        type='EarlyStoppingHook',
        monitor=metric.name,
        rule=metric.rule,
        patience=patience,
        min_delta=LEAST_GAIN,
        strict=True,
    )
    config.custom_hooks = [*(config.get('custom_hooks') or []), hook]
