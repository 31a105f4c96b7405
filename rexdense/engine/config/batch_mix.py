"""The check that the batches of a run can be mixed."""

from mmengine.config import Config

from rexdense.errors import InvalidArgument

__all__ = ['require_two_images']


def require_two_images(config: Config) -> None:
    """Check that mixup and CutMix find two images in a batch.

    Raises:
        InvalidArgument: batches have one image.
    """
    if config.model.get('batch_augments') and config.train_dataloader.get('batch_size') == 1:
        raise InvalidArgument(
            'mixup and CutMix (model.batch_augments) mix the images of a batch, and each has one: '
            'give --batch-size 2 or more, or --cfg-options model.batch_augments=None'
        )
