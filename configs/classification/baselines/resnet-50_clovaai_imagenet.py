r"""ResNet-50 of mmdet on ImageNet, by the command of clovaai/rexnet's README, to compare with.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/baselines/resnet-50_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here, and nobody publishes a figure of this network with this recipe.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(
    backbone=dict(type='mmdet.ResNet', depth=50, out_indices=(3,), style='pytorch'),
    out_channels=2048,
)
