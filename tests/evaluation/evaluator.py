"""A metric run by mmengine's evaluator."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import Evaluator


def evaluate(metric: Any, classes: Sequence[str], samples: Sequence[Any]) -> dict[str, float]:
    """Return what a metric measures on samples, in batches of two."""
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': tuple(classes)}
    for start in range(0, len(samples), 2):
        evaluator.process(samples[start : start + 2])
    return evaluator.evaluate(len(samples))
