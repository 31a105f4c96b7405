"""An optimizer whose moments are shared out among the processes (ZeRO, stage 1)."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.optim import ZeroRedundancyOptimizer as MMEngineZero
from torch.optim import Optimizer

from rexdense.errors import InvalidArgument
from rexdense.registry import OPTIMIZERS

_NAME = 'rexdense.ZeroRedundancyOptimizer'
_OF_MMENGINE = ('ZeroRedundancyOptimizer', 'mmengine.ZeroRedundancyOptimizer', MMEngineZero)


@OPTIMIZERS.register_module()
class ZeroRedundancyOptimizer(MMEngineZero):
    """Keep the moments of a share of the parameters, update these, and send them to the other
    processes (Rajbhandari et al. 2020, "ZeRO", section 5.1).

    mmengine's, with checkpoints that can be saved: there the state is gathered by all processes as
    it is asked for, and mmengine's runner asks in the first process alone, which waits for ever.
    Here it is gathered by :func:`gather_moments`, which all of them call.

    Args:
        params: Parameters, or groups of them.
        optimizer_type: Name of a class of ``torch.optim``.
        settings: Its arguments.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state as it was last gathered, in the form of the optimizer of
        ``optimizer_type`` alone; raise RuntimeError in a process where it was not."""
        # torch's, past mmengine's.
        return super(MMEngineZero, self).state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the share of this process of a whole state."""
        # torch empties what it is given, and keeps a second copy of the share.
        super().load_state_dict({**state_dict, 'state': dict(state_dict['state'])})
        self.state.clear()


def share_moments(config: Config) -> None:
    """Let the optimizer of a config share its moments out among the processes; raise
    InvalidArgument where there is one process alone, or an optimizer that is none of torch's."""
    optimizer = config.optim_wrapper.get('optimizer')
    if optimizer is None:
        raise InvalidArgument('--zero: the config has several optimizers; leave it out')
    if optimizer.type in (*_OF_MMENGINE, _NAME):
        return
    if not torch.distributed.is_initialized():
        raise InvalidArgument(
            '--zero shares the moments of the optimizer out among processes, and this is one '
            'alone: start several with torchrun and --launcher pytorch, or leave --zero out'
        )
    if not isinstance(getattr(torch.optim, str(optimizer.type), None), type):
        raise InvalidArgument(
            f'--zero with the optimizer {optimizer.type}: it takes those of torch.optim, such as '
            'SGD and AdamW; leave it out, or take one of these'
        )
    optimizer.optimizer_type, optimizer.type = optimizer.type, _NAME


def with_gathering_optimizer(wrapper: Any) -> Any:
    """Return the config of an optimizer wrapper, mmengine's ZeroRedundancyOptimizer in it as that
    of this module."""
    optimizer = wrapper.get('optimizer') if isinstance(wrapper, Mapping) else None
    if not isinstance(optimizer, Mapping) or optimizer.get('type') not in _OF_MMENGINE:
        return wrapper
    return {**wrapper, 'optimizer': {**optimizer, 'type': _NAME}}


def gather_moments(wrapper: OptimWrapper | OptimWrapperDict) -> None:
    """Bring the moments that processes share to the first one; all of them have to call this."""
    for each in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
        if isinstance(each.optimizer, ZeroRedundancyOptimizer):
            each.optimizer.consolidate_state_dict()


def kind_of(optimizer: Optimizer) -> type[Optimizer]:
    """Return the class of an optimizer, of one that shares its moments that of the shares."""
    if isinstance(optimizer, ZeroRedundancyOptimizer):
        return type(optimizer.optim)
    return type(optimizer)


def param_groups_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the groups of an optimizer as its state dict has them, parameters as numbers, without
    gathering any moments."""
    return Optimizer.state_dict(optimizer)['param_groups']
