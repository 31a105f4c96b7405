r"""ReXNet-R 1.3 on ImageNet, by the command of clovaai/rexnet's README for ReXNet.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnetr/rexnetr-1.3_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. Nobody publishes weights of this network.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnetr_1.3'))
