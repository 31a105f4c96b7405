"""Hook that limits the history of logged values, which mmengine keeps completely."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import LogProcessor


class ShortHistories(Hook):
    """Keep only as many logged values as the log averages.

    mmengine keeps a million of each, copies them all at every step, and writes them into each
    checkpoint (logging/history_buffer.py, ``update``): a run of 100 000 steps and ten values copies
    16 MB per step. If a setting of the log asks for a mean over the whole run, they are kept.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def before_train(self, runner: Any) -> None:
        """Determine how many values are needed."""
        processor = runner.log_processor
        if not isinstance(processor, LogProcessor):
            return
        windows = [
            processor.window_size,
            *(each.get('window_size') for each in processor.custom_cfg),
        ]
        if not all(isinstance(each, int) or each == 'epoch' for each in windows):
            return
        longest = max(each for each in windows if each != 'epoch')
        lengths = {'train': len(runner.train_dataloader) if 'epoch' in windows else 0}
        if runner.val_loop is not None:
            # The time of a validation is a mean over the whole validation.
            lengths['val'] = len(runner.val_dataloader)
        self._most = {mode: max(1, longest, length) for mode, length in lengths.items()}

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Drop older values of training."""
        self._limit(runner, 'train')

    def after_val_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Drop older values of validation."""
        self._limit(runner, 'val')

    def _limit(self, runner: Any, mode: str) -> None:
        if mode in self._most:
            for name, history in runner.message_hub.log_scalars.items():
                if name.startswith(f'{mode}/'):
                    history.max_length = self._most[mode]
