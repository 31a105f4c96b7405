r"""EfficientNet-B0 of mmdet on ImageNet, by the command of clovaai/rexnet's README, to compare
with.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/baselines/efficientnet-b0_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here, and nobody publishes a figure of this network with this recipe.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(
    # The last map is that of the 1x1 convolution before the pooling.
    backbone=dict(type='mmdet.EfficientNet', arch='b0', out_indices=(6,)),
    out_channels=1280,
)
