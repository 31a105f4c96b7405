r"""RegNetX-4.0GF on ImageNet, by pycls' recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnetx/regnetx-4.0gf_pycls_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. pycls prints an error of 21.4 (top-1), the mean of five runs.
"""

_base_ = ['../../_base_/recipes/pycls.py']

train_dataloader = dict(batch_size=64)
model = dict(backbone=dict(type='rexdense.RegNet', arch='regnetx_4.0gf'))
