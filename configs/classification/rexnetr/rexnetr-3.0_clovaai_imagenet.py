r"""ReXNet-R 3.0 on ImageNet, by the command of clovaai/rexnet's README for ReXNet.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnetr/rexnetr-3.0_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. timm's weights of it, pretrained on ImageNet-12k, have 84.582 top-1 (288 x 288).
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnetr_3.0'))
