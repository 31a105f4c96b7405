"""Hook that limits the history of logged values, which mmengine keeps whole."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import LogProcessor


class ShortHistories(Hook):
    """Keep as many of the logged values as the log takes means of.

    mmengine keeps a million of each, copies them all at every step, and writes them into each
    checkpoint (logging/history_buffer.py, ``update``): a run of 100 000 steps and ten values copies
    16 MB a step. Where a setting of the log asks for a mean of the whole run, they stay.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def before_train(self, runner: Any) -> None:
        """Find out how many are needed."""
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
            # The time of a validation is a mean over all of it.
            lengths['val'] = len(runner.val_dataloader)
        self._most = {mode: max(1, longest, length) for mode, length in lengths.items()}

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Let older values of training go."""
        self._limit(runner, 'train')

    def after_val_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Let older values of validation go."""
        self._limit(runner, 'val')

    def _limit(self, runner: Any, mode: str) -> None:
        if mode in self._most:
            for name, history in runner.message_hub.log_scalars.items():
                if name.startswith(f'{mode}/'):
                    history.max_length = self._most[mode]
