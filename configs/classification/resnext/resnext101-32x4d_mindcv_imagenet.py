r"""ResNeXt-101-32x4d on ImageNet, by MindCV's recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/resnext/resnext101-32x4d_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 79.83 top-1 (configs/resnext).
"""

_base_ = ['../../_base_/recipes/mindcv_resnext.py']

model = dict(backbone=dict(type='rexdense.ResNeXt', arch='resnext101_32x4d'))
