r"""RegNetY-16GF on ImageNet, by MindCV's recipe, which has 350 epochs for it.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnet_mindcv/regnety-16gf_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 82.92 top-1 (configs/regnet).
"""

_base_ = ['../../_base_/recipes/mindcv_regnety_16gf.py']

model = dict(backbone=dict(type='rexdense.RegNet', arch='regnety_16gf'))
