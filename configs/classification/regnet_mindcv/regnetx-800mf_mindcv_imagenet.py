r"""RegNetX-800MF on ImageNet, by MindCV's recipe, which has 200 epochs for it.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnet_mindcv/regnetx-800mf_mindcv_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. MindCV prints 76.04 top-1 (configs/regnet). Its rate changes with the epoch, and
weight decay is 1e-4; crops are bilinear.
"""

_base_ = ['../../_base_/recipes/mindcv_regnet_800mf.py']

model = dict(backbone=dict(type='rexdense.RegNet', arch='regnetx_800mf'))
