"""Configs on an Ascend NPU: missing operators, compile mode, fused optimizers."""

from mmengine.config import Config, ConfigDict
from mmengine.registry import OPTIMIZERS

from rexdense.device import set_jit_compile
from rexdense.engine.config.load import class_name, walk
from rexdense.errors import InvalidArgument

_MISSING = {
    'carafe': "mmcv's build for Ascend has no CARAFE: give upsample_cfg=dict(mode='nearest')",
    'FPN_CARAFE': "mmcv's build for Ascend has no CARAFE: take the neck FPN",
    'CARAFEPack': "mmcv's build for Ascend has no CARAFE: take another upsampling",
    'PrRoIPool': "mmcv's build for Ascend has no PrRoIPool: take RoIAlign",
}
"""Operators that mmcv's NPU sources (mmcv/ops/csrc/pytorch/npu) do not have, by their names in
configs."""


def require_ascend_operators(model: ConfigDict) -> None:
    """Raise InvalidArgument if mmcv lacks an operator of a model on an Ascend NPU."""
    for section in walk(model):
        kind = class_name(section)
        if kind in _MISSING:
            raise InvalidArgument(f'type={kind!r} in the model, on an NPU: {_MISSING[kind]}')
        if kind == 'RoIAlign' and section.get('aligned') is False:
            raise InvalidArgument(
                "RoIAlign with aligned=False: mmcv's kernel for Ascend only knows aligned=True, "
                'and would compute that; leave it out, and train anew'
            )


def suit_ascend(config: Config) -> None:
    """Apply the config's ``npu`` section, after a check that mmcv has the operators of the model.

    ``npu.jit_compile`` compiles operators per shape, for images of constant size.
    ``npu.fused_optimizers`` replaces optimizers by those of torch_npu, such as SGD by NpuFusedSGD,
    if there is one.
    """
    require_ascend_operators(config.model)
    asked = config.get('npu') or {}
    set_jit_compile(asked.get('jit_compile', False))
    optimizer = (config.get('optim_wrapper') or {}).get('optimizer')
    if optimizer:
        # torch's own fused kernels are for other devices.
        optimizer.pop('fused', None)
    if optimizer and asked.get('fused_optimizers'):
        fused = f'NpuFused{class_name(optimizer)}'
        if OPTIMIZERS.get(fused) is not None:
            optimizer.type = fused
