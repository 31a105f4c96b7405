r"""RegNetY-16GF on ImageNet, by pycls' recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnety/regnety-16gf_pycls_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. pycls prints an error of 19.6 (top-1), the mean of five runs.
"""

_base_ = ['../../_base_/recipes/pycls.py']

train_dataloader = dict(batch_size=32)
model = dict(backbone=dict(type='rexdense.RegNet', arch='regnety_16gf'))
