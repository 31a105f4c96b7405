r"""ResNeXt-50-32x4d on ImageNet, by pycls' recipe.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/classification/resnext/resnext50-32x4d_pycls_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. pycls prints an error of 21.9 (top-1), the mean of five runs.
"""

_base_ = ['../../_base_/recipes/pycls_resnext.py']

model = dict(backbone=dict(type='rexdense.ResNeXt', arch='resnext50_32x4d'))
