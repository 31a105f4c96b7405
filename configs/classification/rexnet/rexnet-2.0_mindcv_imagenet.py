r"""ReXNet 2.0 on ImageNet, by MindCV's recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/rexnet/rexnet-2.0_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 80.64 top-1 (configs/rexnet).
"""

_base_ = ['../../_base_/recipes/mindcv_rexnet_wide.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_2.0'))
