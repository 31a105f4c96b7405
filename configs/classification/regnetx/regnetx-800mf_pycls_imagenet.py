r"""RegNetX-800MF on ImageNet, by pycls' recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnetx/regnetx-800mf_pycls_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. pycls prints an error of 24.8 (top-1), the mean of five runs.
"""

_base_ = ['../../_base_/recipes/pycls.py']

model = dict(backbone=dict(type='rexdense.RegNet', arch='regnetx_800mf'))
