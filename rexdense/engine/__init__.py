"""From a config and a command line to a run of mmengine's Runner, and to the files that it leaves.

Importing this package registers its hooks and optimizer wrappers in scope ``rexdense``.
"""

from rexdense.engine.hooks import StopOnNonFiniteLoss
from rexdense.engine.optimizer_wrappers import BFloat16OptimWrapper

__all__ = ['BFloat16OptimWrapper', 'StopOnNonFiniteLoss']
