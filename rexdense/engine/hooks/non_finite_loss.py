"""Hook that stops a training at the first NaN or infinite loss."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook

from rexdense.device import bare_model
from rexdense.errors import NonFiniteLoss, some_of
from rexdense.registry import HOOKS

MOST_IMAGES_NAMED = 8
MOST_TENSORS_NAMED = 3


@HOOKS.register_module()
class StopOnNonFiniteLoss(Hook):
    """End the run at the first loss that is NaN or infinite, before anything is saved after it.

    The weights are also checked before they are validated or saved, because gradients can spoil
    them in the step after a loss that was still finite.

    Raises:
        NonFiniteLoss: the message names the iteration, the loss terms or tensors, and the images of
            the batch.
    """

    # Before the hooks that average weights, log or save.
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._place, self._images = '', 'unknown'

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Check the losses of the iteration, and the weights before they are validated."""
        self._place = f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}'
        self._images = _image_names(data_batch)
        # mmengine's RuntimeInfoHook, which comes first, has fetched it, so this does not wait for
        # the device again.
        loss = runner.message_hub.get_scalar('train/loss').current()
        if not math.isfinite(loss):
            terms = [
                name for name, value in outputs.items() if name != 'loss' and not _is_finite(value)
            ]
            self._stop(runner, f'the loss became {loss}', terms or ['total'])
        if self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner):
            self._check_weights(runner, bare_model(runner.model).state_dict())

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check the weights before they are saved."""
        self._check_weights(runner, checkpoint['state_dict'])

    def _check_weights(self, runner, state: dict[str, Any]) -> None:
        spoilt = [name for name, tensor in state.items() if not _is_finite(tensor)]
        if spoilt:
            self._stop(runner, f'{len(spoilt)} tensors became non-finite', spoilt)

    def _stop(self, runner, what: str, names: Sequence[str]) -> None:
        raise NonFiniteLoss(
            f'{what} at {self._place} ({some_of(names, MOST_TENSORS_NAMED)}); images: '
            f'{self._images}. Checkpoints saved before stay in {runner.work_dir}. Lower the '
            'learning rate (--lr), clip gradients, or look at these images'
        )


def _is_finite(value: Any) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return all(bool(torch.isfinite(torch.as_tensor(item)).all()) for item in values)


def _image_names(data_batch: dict | None) -> str:
    samples: Sequence = (data_batch or {}).get('data_samples') or ()
    names = [
        sample.metainfo.get('img_path', '?') for sample in samples if hasattr(sample, 'metainfo')
    ]
    return some_of(names, MOST_IMAGES_NAMED) or 'unknown'
