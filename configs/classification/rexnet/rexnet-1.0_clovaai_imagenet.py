r"""ReXNet 1.0 on ImageNet, by the command of clovaai/rexnet's README.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnet/rexnet-1.0_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. clovaai/rexnet prints 77.9 top-1; a rerun by PaddleClas reached 77.46, which is
the nearer target.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'))
