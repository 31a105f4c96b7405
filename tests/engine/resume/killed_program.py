"""The ``rexdense`` command, whose process 1 is killed or stopped in the middle of a training.

    torchrun --nproc-per-node 2 -m tests.engine.resume.killed_program train CONFIG ...

Its config has the hook ``KillOnce`` among its ``custom_hooks``.
"""

import os

from mmengine.registry import HOOKS

from rexdense.cli.main import run
from tests.engine.resume.toy_run import KillAt


@HOOKS.register_module(force=True)
class KillOnce(KillAt):
    """Send a signal to process 1 at one of its events, unless it was started anew."""

    def __init__(self, at, how):
        first = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') == '0'
        super().__init__(at if first and os.environ['RANK'] == '1' else -1, how)


if __name__ == '__main__':
    run()
