r"""ReXNet 3.0 on ImageNet, by the command of clovaai/rexnet's README.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnet/rexnet-3.0_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. clovaai/rexnet prints 82.8 top-1; a rerun by PaddleClas reached 82.09, which is
the nearer target.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_3.0'))
