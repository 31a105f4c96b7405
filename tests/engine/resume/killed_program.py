"""The hook of a config whose process 1 is killed or stopped in the middle of a training."""

import os

from mmengine.registry import HOOKS

from tests.engine.resume.toy_run import KillAt


@HOOKS.register_module(force=True)
class KillOnce(KillAt):
    """Send a signal to process 1 at one of its events, unless it was started anew."""

    def __init__(self, at, how):
        first = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') == '0'
        super().__init__(at if first and os.environ['RANK'] == '1' else -1, how)
