r"""RegNetY-600MF on ImageNet, by pycls' recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/regnety/regnety-600mf_pycls_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. pycls prints an error of 24.5 (top-1), the mean of five runs.
"""

_base_ = ['../../_base_/recipes/pycls.py']

model = dict(backbone=dict(type='rexdense.RegNet', arch='regnety_600mf'))
