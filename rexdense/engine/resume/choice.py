"""Choice of the checkpoint from which a run resumes."""

import argparse
import os

from mmengine.config import Config
from mmengine.dist import broadcast_object_list

from rexdense.engine.resume.checkpoints import find_checkpoint, run_meta
from rexdense.errors import InvalidArgument

_MOST_FAULTS = 3


def choose_resumed(config: Config, options: argparse.Namespace) -> str:
    """Set in a config the checkpoint from which its run resumes, and the seed of that run, unless
    another is requested; the seed also determines the order of the data. Return a message about the
    choice.

    The checkpoint is the newest intact one of the work directory. With ``resume`` in the config,
    but without ``--resume``, it is the file in ``load_from``, if there is one.

    Raises:
        InvalidArgument: there is no intact checkpoint.
        CheckpointUnreadable: the named file is no checkpoint.
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
    """Return the checkpoint from which the first of several processes resumes. All processes must
    call this, because a shared disk may show an older checkpoint to some machines.

    If the file does not exist here, the disk is mounted elsewhere, and the file of that name beside
    the choice of this process is returned.

    Args:
        filename: The choice of this process.
    """
    chosen = [filename]
    broadcast_object_list(chosen)
    if os.path.exists(chosen[0]):
        return chosen[0]
    return os.path.join(os.path.dirname(filename), os.path.basename(chosen[0]))
