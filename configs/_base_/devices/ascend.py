"""Ascend NPU, for data of changing sizes, such as detection: no compilation per shape.

A config inherits it beside its own base:

    _base_ = ['faster-rcnn_rexnet-1.0_fpn_1x_coco.py', '../_base_/devices/ascend.py']

The device, hccl between processes and mixed precision are chosen without it.
"""

npu = dict(
    # CANN compiles each operator for each new shape, which takes seconds.
    jit_compile=False,
    # NpuFusedSGD for SGD and so on, if torch_npu has them.
    fused_optimizers=True,
)
