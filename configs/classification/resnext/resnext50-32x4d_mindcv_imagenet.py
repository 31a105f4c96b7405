r"""ResNeXt-50-32x4d on ImageNet, by MindCV's recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/resnext/resnext50-32x4d_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 78.53 top-1 (configs/resnext).
"""

_base_ = ['../../_base_/recipes/mindcv_resnext.py']

model = dict(backbone=dict(type='rexdense.ResNeXt', arch='resnext50_32x4d'))
