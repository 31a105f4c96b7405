"""Hook that warns of images with more objects than a model can find."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.hooks import Hook

from rexdense.datasets.skipping import innermost_datasets
from rexdense.engine.config.object_limits import OF_REGIONS, object_limits

_COUNTED = (1, 10, 100)
"""Numbers of objects per class and image that ``rexdense.CocoMetric`` counts by default."""


class TellOfManyObjects(Hook):
    """Warn before training if images have more objects than the model keeps per image, or more of a
    class than the metric counts."""

    @master_only
    def before_train(self, runner) -> None:
        """Compare the training and the validation data with the limits of the config."""
        limits = object_limits(runner.cfg.model)
        kept = {f'model.test_cfg.{key}': value for key, value in limits.items()}
        counted = dict(_counted(runner.cfg))
        if not kept:
            return
        datasets = [runner.train_dataloader.dataset]
        if runner.val_loop is not None:
            datasets.append(runner.val_dataloader.dataset)
        most, most_of_class = _most_objects(datasets)
        short = {key: value for key, value in kept.items() if value < most}
        short |= {key: value for key, value in counted.items() if max(value) < most_of_class}
        if short:
            enough = (most // 100 + 1) * 100
            runner.logger.warning(
                f'Images have up to {most} objects, and not all can be found or counted: '
                f'{", ".join(f"{key}={value}" for key, value in short.items())}. Where all matter, '
                f'give --cfg-options {" ".join(_advice(key, enough) for key in short)}'
            )


def _counted(config: Config) -> Iterator[tuple[str, list[int]]]:
    """Yield the keys that limit the evaluated objects of a class in an image, and their values."""
    evaluators = config.get('val_evaluator') or []
    for place, section in enumerate([evaluators] if isinstance(evaluators, dict) else evaluators):
        if isinstance(section, dict) and section.get('type') == 'rexdense.CocoMetric':
            where = 'val_evaluator' if section is evaluators else f'val_evaluator.{place}'
            yield f'{where}.max_detections', list(section.get('max_detections', _COUNTED))


def _advice(key: str, enough: int) -> str:
    """Return the assignment that raises the limit of a key to ``enough`` objects."""
    if key.endswith('max_detections'):
        return ' '.join(f'{each}=[1,10,{enough}]' for each in (key, key.replace('val', 'test', 1)))
    # Regions overlap, so there are more of them than objects.
    return f'{key}={2 * enough if key.endswith(OF_REGIONS) else enough}'


def _most_objects(datasets: list[Any]) -> tuple[int, int]:
    """Return the largest number of objects, and of objects of one class, in an image."""
    most = most_of_class = 0
    for dataset in (part for whole in datasets for part in innermost_datasets(whole)):
        for index in range(len(dataset) if hasattr(dataset, 'get_data_info') else 0):
            labels = Counter(
                entry.get('bbox_label')
                for entry in dataset.get_data_info(index).get('instances') or ()
                if not entry.get('ignore_flag')
            )
            most = max(most, labels.total())
            most_of_class = max(most_of_class, *labels.values(), 0)
    return most, most_of_class
