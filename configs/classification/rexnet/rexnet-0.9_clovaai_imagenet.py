r"""ReXNet 0.9 on ImageNet, by the command of clovaai/rexnet's README.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnet/rexnet-0.9_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. clovaai/rexnet prints 77.2 top-1, without weights; MindCV reached 77.06 with its
own recipe.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_0.9'))
