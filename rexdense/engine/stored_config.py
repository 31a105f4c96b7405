"""The config that lies in a checkpoint, to build from without running what its maker put there."""

import re

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from rexdense.checkpoint.config_text import read_config_text
from rexdense.engine.config import walk
from rexdense.errors import CheckpointUnreadable

__all__ = ['read_stored_config', 'require_known_types']

# A class of the scopes that rexdense works in, or one found by its bare name. mmengine imports any
# other dotted name, whatever it is (registry/registry.py, Registry.get).
_KNOWN_TYPE = re.compile(r'((rexdense|mmengine|mmcv|mmdet|mmseg|mmpretrain)\.)?\w+')


def read_stored_config(text: str, source: str) -> Config:
    """Return the config that mmengine wrote as text (``Config.pretty_text``).

    Raises:
        CheckpointUnreadable: it is more than assignments of values; ``source`` names the file.
    """
    return Config(read_config_text(text, source))


def require_known_types(config: Config, source: str, trusted: bool) -> None:
    """Check that building from the config imports nothing but classes of known packages; of a
    trusted one, import the modules that it names.

    Raises:
        CheckpointUnreadable: it names others and is not trusted; ``source`` names the file.
    """
    custom = config.get('custom_imports')
    if trusted:
        if custom:
            import_modules_from_strings(**custom)
        return
    foreign = [
        str(section['type'])
        for section in walk(config._cfg_dict)
        if 'type' in section and not _KNOWN_TYPE.fullmatch(str(section['type']))
    ]
    foreign += list((custom or {}).get('imports', ()))
    if foreign:
        raise CheckpointUnreadable(
            f'the config in {source} wants to import {foreign[0]}, which could be any code: if you '
            'trust its maker with this machine, add --trust-config'
        )
