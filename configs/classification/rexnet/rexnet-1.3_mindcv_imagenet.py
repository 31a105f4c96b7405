r"""ReXNet 1.3 on ImageNet, by MindCV's recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/rexnet/rexnet-1.3_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 79.06 top-1 (configs/rexnet).
"""

_base_ = ['../../_base_/recipes/mindcv_rexnet.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.3'))
