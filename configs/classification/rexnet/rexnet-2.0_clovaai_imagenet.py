r"""ReXNet 2.0 on ImageNet, by the command of clovaai/rexnet's README.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnet/rexnet-2.0_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. clovaai/rexnet prints 81.6 top-1; a rerun by PaddleClas reached 81.22, which is
the nearer target.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_2.0'))
