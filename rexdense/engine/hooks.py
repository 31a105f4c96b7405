"""Hooks of mmengine's runner."""

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook

from rexdense.errors import NonFiniteLoss
from rexdense.registry import HOOKS

__all__ = ['StopOnNonFiniteLoss']

MOST_IMAGES_NAMED = 8


@HOOKS.register_module()
class StopOnNonFiniteLoss(Hook):
    """End the run at the first loss that is NaN or infinite, before anything is saved from it.

    Raises:
        NonFiniteLoss: names the iteration, the loss terms at fault and the images of the batch.
    """

    # Before the hooks that average weights, log or save.
    priority = 'VERY_HIGH'

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the total loss of the iteration."""
        loss = outputs['loss']
        if torch.isfinite(loss).all():
            return
        terms = [
            name for name, value in outputs.items() if name != 'loss' and not _is_finite(value)
        ]
        raise NonFiniteLoss(
            f'the loss became {loss.item()} at epoch {runner.epoch + 1}, iteration '
            f'{runner.iter + 1} ({", ".join(terms) or "total"}); images: '
            f'{_image_names(data_batch)}. Checkpoints saved before stay in {runner.work_dir}. '
            'Lower the learning rate (--lr), clip gradients, or look at these images'
        )


def _is_finite(value) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(bool(torch.isfinite(torch.as_tensor(item)).all()) for item in values)


def _image_names(data_batch: dict | None) -> str:
    samples: Sequence = (data_batch or {}).get('data_samples') or ()
    names = [
        sample.metainfo.get('img_path', '?') for sample in samples if hasattr(sample, 'metainfo')
    ]
    shown = ', '.join(str(name) for name in names[:MOST_IMAGES_NAMED])
    return (
        f'{shown} and {len(names) - MOST_IMAGES_NAMED} more'
        if len(names) > MOST_IMAGES_NAMED
        else shown or 'unknown'
    )
