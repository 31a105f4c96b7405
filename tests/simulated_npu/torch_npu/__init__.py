"""A stand-in for Huawei's torch_npu, on machines without an NPU: with this folder's parent on the
path, ``import torch_npu`` gives a device called npu, and mmengine chooses it by itself.

Simulated: tensors of a device of their own, which no operator mixes with those of the CPU; no
float64; reads of values by the host, and copies between host and device, counted with the line that
makes them; autocast; random numbers of the device; two operators of mmcv's build for Ascend, in
float32 alone, while its other compiled operators are missing; the generation of the SoC.

Not simulated: the numbers of NPU kernels (the CPU computes), speed, memory, compiling, streams,
hccl, and operators of torch itself that CANN lacks.
"""

import sys

import torch
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from . import npu, optim

_setup_privateuseone_for_python_backend('npu', backend_module=npu)
sys.modules['torch.npu'] = npu
sys.modules['torch.npu.amp'] = npu.amp

from . import autocast, tensor  # noqa: E402 - they register kernels under the name given above

__all__ = ['npu', 'optim', 'autocast', 'tensor']
__version__ = f'{torch.__version__.split("+")[0]}.simulated'
