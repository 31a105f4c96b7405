"""The choice of the checkpoint that a run goes on from."""

import argparse
import os

from mmengine.config import Config
from mmengine.dist import broadcast_object_list

from rexdense.engine.resume.checkpoints import find_checkpoint, run_meta
from rexdense.errors import InvalidArgument

_MOST_FAULTS = 3


def choose_resumed(config: Config, options: argparse.Namespace) -> str:
    """Set in a config which checkpoint its run goes on from, and the seed of that run, which also
    orders the data, where none was asked for; return what there is to say of the choice.

    That is the newest whole one of the work directory; with ``resume`` in the config, but without
    ``--resume``, the file that ``load_from`` names, if it names one.

    Raises:
        InvalidArgument: there is no whole checkpoint.
        CheckpointUnreadable: the file that was named is none.
    """
    named = config.get('load_from')
    if named and not options.resume:
        meta, said = run_meta(named), ''
    else:
        found, faults = find_checkpoint(config.work_dir)
        if found is None:
            detail = f' that is whole ({"; ".join(faults[:_MOST_FAULTS])})' if faults else ''
            raise InvalidArgument(
                f'--resume: no checkpoint{detail} in {config.work_dir}; leave --resume out to '
                'start, or name the folder with --work-dir'
            )
        meta, said = found.meta, found.said
        if named:
            said = f'{said}; ' if said else ''
            said += f'{named} is not loaded, since the run goes on from {found.path}'
        if faults:
            said = f'{said} ({"; ".join(faults[:_MOST_FAULTS])})'
        config.load_from = str(found.path)
    config.resume = True
    randomness = config.get('randomness') or {}
    if randomness.get('seed') is None and meta.get('seed') is not None:
        config.randomness = dict(randomness, seed=meta['seed'])
    return said


def first_process_checkpoint(filename: str) -> str:
    """Return the checkpoint that the first of several processes goes on from, which all have to
    call: a disk that machines share may show an older one to some of them.

    Where there is no such file the disk is mounted elsewhere here, and it is the file of that name
    beside the one that this process has chosen.

    Args:
        filename: The one that this process has chosen.
    """
    chosen = [filename]
    broadcast_object_list(chosen)
    if os.path.exists(chosen[0]):
        return chosen[0]
    return os.path.join(os.path.dirname(filename), os.path.basename(chosen[0]))
