"""Training in several processes."""

import os

import torch
from torch import nn

from rexdense.errors import InvalidArgument

__all__ = ['bare_model', 'initialise_distributed']

_BACKENDS = {'cpu': 'gloo', 'cuda': 'nccl', 'npu': 'hccl'}


def initialise_distributed(device: str) -> None:
    """Join the process group that torchrun's environment variables describe.

    mmengine's own launcher calls ``torch.cuda.set_device`` on every machine, so it cannot be used
    on a CPU.

    Raises:
        InvalidArgument: the process was not started by torchrun.
    """
    if 'RANK' not in os.environ:
        raise InvalidArgument(
            '--launcher pytorch needs the variables that torchrun sets: '
            'start with torchrun --nproc-per-node N'
        )
    if device == 'cuda':
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    elif device == 'npu':
        torch.npu.set_device(int(os.environ['LOCAL_RANK']))
    torch.distributed.init_process_group(_BACKENDS[device])


def bare_model(model: nn.Module) -> nn.Module:
    """Return the model below the wrapper that distributed training puts around it."""
    from mmengine.model import is_model_wrapper

    return model.module if is_model_wrapper(model) else model
