"""mmengine's Runner with a readable terminal, a strict loader and a guarded work directory."""

import logging
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mmengine.runner import Runner as MMEngineRunner
from mmengine.runner import find_latest_checkpoint
from torch import Tensor, nn

from rexdense.checkpoint import install_safe_loader
from rexdense.errors import CheckpointMismatch, InvalidArgument

__all__ = ['Runner', 'checkpoint_to_resume', 'prepare_work_dir']

MOST_TERMINAL_LINES = 12
MOST_TENSORS_NAMED = 3
# mmengine names a run's folder after the time of its start.
RUN_FOLDER = re.compile(r'\d{8}_\d{6}')
_NOISE = ('paramwise_options', '"FileClient" will be deprecated', '"HardDiskBackend" is the alias')


class _TerminalFilter(logging.Filter):
    """Keep long dumps (environment, config, hooks) and known noise to the log file."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return message.count('\n') < MOST_TERMINAL_LINES and not message.startswith(_NOISE)


class Runner(MMEngineRunner):
    """mmengine's Runner as rexdense's programs use it."""

    def __init__(self, *args, **settings) -> None:
        install_safe_loader()
        super().__init__(*args, **settings)

    def build_logger(self, *args, **settings):
        """Return mmengine's logger, its terminal freed of dumps; the log file has everything."""
        logger = super().build_logger(*args, **settings)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(_TerminalFilter())
        return logger

    def load_checkpoint(
        self,
        filename: str,
        map_location='cpu',
        strict: bool = True,
        revise_keys=((r'^module\.', ''),),
    ):
        """Load a checkpoint whose tensors must be exactly those of the model.

        Raises:
            CheckpointMismatch: tensors are missing, left over or of another shape; the message
            names them.
        """
        checkpoint = super().load_checkpoint(
            filename, map_location, strict=False, revise_keys=list(revise_keys)
        )
        model = self.model.module if hasattr(self.model, 'module') else self.model
        if strict:
            require_same_tensors(model, checkpoint.get('state_dict', checkpoint), filename)
        return checkpoint


def require_same_tensors(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Check that a state dict has the model's tensors, no more and no fewer, in the same shapes.

    Raises:
        CheckpointMismatch: names the first tensors that differ, by kind.
    """
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    other = {name: tuple(tensor.shape) for name, tensor in state.items()}
    differences = {
        'of another shape': [
            f'{name} {other[name]} where the model has {own[name]}'
            for name in own
            if name in other and other[name] != own[name]
        ],
        'missing': [name for name in own if name not in other],
        'left over': [name for name in other if name not in own],
    }
    found = [
        f'{len(names)} {kind} ({", ".join(names[:MOST_TENSORS_NAMED])}'
        + (', ...)' if len(names) > MOST_TENSORS_NAMED else ')')
        for kind, names in differences.items()
        if names
    ]
    if found:
        raise CheckpointMismatch(
            f'{source} does not fit this model: {"; ".join(found)}. '
            'Use the config and the classes that the checkpoint was trained with'
        )


def prepare_work_dir(work_dir: str | Path, reuse: bool = False, overwrite: bool = False) -> Path:
    """Create the folder of a run and make sure that it may be written.

    Args:
        reuse: The run continues or measures what is there.
        overwrite: Delete the checkpoints and logs of earlier runs.

    Raises:
        InvalidArgument: it cannot be written, or holds checkpoints and neither was asked for.
    """
    work_dir = Path(work_dir)
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
    except OSError as error:
        raise InvalidArgument(
            f'work dir {work_dir} cannot be written ({error.strerror}); '
            'choose another with --work-dir'
        ) from error
    if reuse:
        return work_dir
    earlier = sorted(path.name for path in work_dir.glob('*.pth'))
    if earlier and not overwrite:
        raise InvalidArgument(
            f'work dir {work_dir} holds checkpoints of an earlier run ({earlier[-1]}): '
            'continue it with --resume, '
            'replace it with --overwrite, or choose another --work-dir'
        )
    for name in (*earlier, 'last_checkpoint'):
        (work_dir / name).unlink(missing_ok=True)
    for path in work_dir.iterdir():
        if RUN_FOLDER.fullmatch(path.name) and overwrite:
            shutil.rmtree(path)
    return work_dir


def checkpoint_to_resume(work_dir: str | Path) -> str:
    """Return the newest checkpoint of a work directory.

    Raises:
        InvalidArgument: there is none.
    """
    latest = find_latest_checkpoint(str(work_dir)) if Path(work_dir).is_dir() else None
    if latest is None or not Path(latest).is_file():
        raise InvalidArgument(
            f'--resume: no checkpoint in {work_dir}; leave --resume out to start, '
            'or name the folder with --work-dir'
        )
    return latest
