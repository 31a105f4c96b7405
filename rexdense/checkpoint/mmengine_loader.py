"""Safe reading for mmengine's checkpoint loaders (``load_from``, resume, ``Pretrained``).

mmengine 0.10.7 cannot read its own training files with torch 2.6 and later. onedl-mmengine 0.10.12
can, but it allows ``getattr`` to the file, and if that fails, it runs the file
(``runner/checkpoint.py``, ``_safe_torch_load``). Both download through ``torch.hub``, which runs
the file at once. On resume, all versions run a text in the file, and delete the file that it names
as the earlier best checkpoint (``runner/runner.py``, ``resume``; ``hooks/checkpoint_hook.py``).
"""

import re
from pathlib import Path
from typing import Any

from rexdense.checkpoint.fetching import is_address, local_file
from rexdense.checkpoint.formats.reading import read_checkpoint
from rexdense.dependencies import needed_packages

# Every prefix with a loader in mmengine, as regular expressions; the empty one is for paths.
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
# The name that mmengine's CheckpointHook gives the best checkpoint of a run.
_BEST = re.compile(r'best_.+\.pth')


def load_from_safe_reader(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint with :func:`rexdense.checkpoint.read_checkpoint`. Remove the text that
    mmengine would run, and names of files outside its folder."""
    path = local_file(filename) if is_address(filename) else Path(filename)
    content = read_checkpoint(path, map_location or 'cpu').content
    if isinstance(content, dict):
        if isinstance(content.get('meta'), dict):
            # Runner.resume runs this text; mmengine itself stores nothing under this key.
            content['meta'].pop('config', None)
        hub = content.get('message_hub')
        if isinstance(hub, dict) and isinstance(hub.get('runtime_info'), dict):
            hub['runtime_info'] = _with_files_beside(hub['runtime_info'], path.parent)
            resumed = hub.get('resumed_keys')
            if isinstance(resumed, dict):
                known = {*hub['runtime_info'], *(hub.get('log_scalars') or ())}
                hub['resumed_keys'] = {key: resumed[key] for key in resumed if key in known}
    return content


def _with_files_beside(info: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the notes of a run. Of the checkpoints that mmengine will delete, keep only those in
    the folder: the run may have been moved, and the file may name any path."""
    kept = {}
    for key, value in info.items():
        if str(key).startswith('best_ckpt'):
            name = re.split(r'[/\\]', str(value))[-1]
            if not _BEST.fullmatch(name) or not (folder / name).is_file():
                continue
            value = str(folder / name)
        elif key == 'keep_ckpt_ids':
            numbers = value if isinstance(value, list | tuple) else ()
            value = [number for number in numbers if type(number) is int]
        kept[key] = value
    return kept


def load_from_mmcls(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Return the backbone of a classifier of mmpretrain's model zoo."""
    content = load_from_safe_reader(filename, map_location)
    state = content.get('state_dict', content)
    own = {key: value for key, value in state.items() if key.startswith('backbone.')}
    return {'state_dict': {key.removeprefix('backbone.'): value for key, value in own.items()}}


def install_safe_loader() -> None:
    """Replace all of mmengine's checkpoint loaders by rexdense's reader."""
    with needed_packages("mmengine's reading of checkpoints"):
        from mmengine.runner import CheckpointLoader

    CheckpointLoader.register_scheme(list(PREFIXES), load_from_safe_reader, force=True)
    CheckpointLoader.register_scheme('mmcls://', load_from_mmcls, force=True)
