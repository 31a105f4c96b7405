r"""RegNetX-200MF on ImageNet, by MindCV's recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnet_mindcv/regnetx-200mf_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 68.74 top-1 (configs/regnet).
"""

_base_ = ['../../_base_/recipes/mindcv_regnet.py']

model = dict(backbone=dict(type='rexdense.RegNet', arch='regnetx_200mf'))
