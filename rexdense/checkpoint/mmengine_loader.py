"""mmengine's own reading of checkpoints (``load_from``, resume, ``Pretrained``), without its unsafe
second try.

mmengine 0.10.7 cannot read its own training files under torch 2.6 and later; onedl-mmengine 0.10.12
can, but allows ``getattr`` to the file and, where that fails, runs the file
(``runner/checkpoint.py``, ``_safe_torch_load``); both download through ``torch.hub``, which runs
the file at once.
"""

from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader

from rexdense.checkpoint.fetching import is_address, local_file
from rexdense.checkpoint.reading import read_checkpoint

__all__ = ['install_safe_loader']

# Every prefix that mmengine registers a loader for; the empty one is that of paths. They are
# regular expressions.
PREFIXES = (
    '',
    'http://',
    'https://',
    'modelzoo://',
    'torchvision://',
    'open-mmlab://',
    'openmmlab://',
    'pavi://',
    r'(\S+\:)?s3://',
    r'(\S+\:)?petrel://',
)


def load_from_safe_reader(filename: str, map_location: Any = None) -> Any:
    """Return the content of a checkpoint, read by :func:`rexdense.checkpoint.read_checkpoint`."""
    path = local_file(filename) if is_address(filename) else Path(filename)
    return read_checkpoint(path, map_location or 'cpu').content


def load_from_mmcls(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Return the backbone of a classifier of mmpretrain's model zoo."""
    content = load_from_safe_reader(filename, map_location)
    state = content.get('state_dict', content)
    prefix = 'backbone.'
    return {
        'state_dict': {
            key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)
        }
    }


def install_safe_loader() -> None:
    """Make all of mmengine's routes to a checkpoint end in rexdense's reader, once for all."""
    CheckpointLoader.register_scheme(list(PREFIXES), load_from_safe_reader, force=True)
    CheckpointLoader.register_scheme('mmcls://', load_from_mmcls, force=True)
