"""Hook that gives rare classes a higher weight, from the label maps of the training."""

from collections.abc import Iterable, Sequence

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from rexdense.arch.checks import is_number, require_ratio
from rexdense.datasets.segmentation.dataset import SegmentationDataset
from rexdense.datasets.segmentation.label_counts import count_labels
from rexdense.datasets.skipping import innermost_datasets
from rexdense.device import bare_model
from rexdense.errors import InvalidArgument
from rexdense.models.losses.cross_entropy import CrossEntropyLoss
from rexdense.registry import HOOKS


@HOOKS.register_module()
class WeighRareClasses(Hook):
    """Give the pixels of rare classes a higher weight in the cross-entropy of a segmentor without
    its own ``class_weight``.

    The loss is ``rexdense.CrossEntropyLoss``, by which the heads of rexdense replace mmseg's.
    Cross-entropy is a mean over pixels, so a class with few pixels is learnt late or never. The
    class shares are those of the training labels, of at most 1000 maps. The weights are printed.
    Other losses are unchanged: losses of regions (Dice, Lovasz, Tversky) already count each class
    equally, and focal loss has its own balancing.

    Args:
        power: The weights are the class shares to the power of ``-power``. 0.5 is the inverse
            square root; 1 gives all classes the same part in the loss. (Median frequency balancing,
            Eigen and Fergus 2015, arXiv:1411.4734, is 1 up to a factor.)
        most: The largest weight, applied after the mean over the pixels is set to 1.

    Raises:
        InvalidArgument: ``power`` is not between 0 and 1, ``most`` is below 1, or the training data
            is no ``rexdense.SegmentationDataset``.
    """

    def __init__(self, power: float = 0.5, most: float = 20.0) -> None:
        require_ratio('power', power)
        if not is_number(most) or most < 1:
            raise InvalidArgument(f'most={most!r}: give a number from 1 on')
        self.power, self.most = power, most

    def before_train(self, runner) -> None:
        """Count the pixels of each class and set the weights."""
        losses = [
            loss
            for loss in bare_model(runner.model).modules()
            if isinstance(loss, CrossEntropyLoss) and loss.class_weight is None
        ]
        if not losses:
            runner.logger.info(
                'WeighRareClasses: the model has no rexdense.CrossEntropyLoss without class_weight,'
                ' so that its losses stay as they are'
            )
            return
        datasets = list(innermost_datasets(runner.train_dataloader.dataset))
        pixels = _pixels(datasets)
        weights = rarity_weights(pixels, self.power, self.most)
        for loss in losses:
            loss.class_weight = weights
        if is_main_process():
            names = datasets[0].metainfo['classes']
            shown = ', '.join(
                f'{name} {weight:.2f}' for name, weight in zip(names, weights, strict=True)
            )
            runner.logger.info(f'Classes weighed by their rarity: {shown}')


def _pixels(datasets: Iterable) -> np.ndarray:
    """Return the number of pixels of each class in the label maps of all data sets, extrapolated if
    only a part of the maps is read."""
    total = 0
    for dataset in datasets:
        if not isinstance(dataset, SegmentationDataset):
            raise InvalidArgument(
                f'WeighRareClasses counts the labels of rexdense.SegmentationDataset, and the '
                f'training data is a {type(dataset).__name__}: state class_weight of the loss, or '
                'leave the hook out of custom_hooks'
            )
        paths = [dataset.get_data_info(i)['seg_map_path'] for i in range(len(dataset))]
        classes = len(dataset.metainfo['classes'])
        counts = count_labels(paths, classes, dataset.ignore_index)
        total = total + counts[:, :-1].sum(0) * (len(paths) / len(counts))
    return total


def rarity_weights(pixels: Sequence[int], power: float, most: float) -> tuple[float, ...]:
    """Return the weight of each class from its number of pixels, see :class:`WeighRareClasses`. A
    class without pixels is treated as if it had one, because label maps that were not counted may
    have it.

    Example:
        >>> [round(weight, 3) for weight in rarity_weights([900, 100, 0], 0.5, 30)]
        [0.833, 2.5, 25.0]
    """
    counts = np.asarray(pixels, float)
    total = counts.sum()
    if not total:
        return (1.0,) * len(counts)
    weights = (np.maximum(counts, 1) / total) ** -power
    weights /= (weights * counts).sum() / total
    return tuple(np.minimum(weights, most).tolist())
