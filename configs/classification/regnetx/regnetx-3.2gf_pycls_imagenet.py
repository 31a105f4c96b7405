r"""RegNetX-3.2GF on ImageNet, by pycls' recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnetx/regnetx-3.2gf_pycls_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. pycls prints an error of 21.7 (top-1), the mean of five runs.
"""

_base_ = ['../../_base_/recipes/pycls.py']

train_dataloader = dict(batch_size=64)
model = dict(backbone=dict(type='rexdense.RegNet', arch='regnetx_3.2gf'))
