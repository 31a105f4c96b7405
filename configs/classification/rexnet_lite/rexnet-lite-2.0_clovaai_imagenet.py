r"""ReXNet-lite 2.0 on ImageNet, by the command of clovaai/rexnet's README.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnet_lite/rexnet-lite-2.0_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. clovaai/rexnet prints 80.2 top-1; that its lite networks were trained with the
same command is not said there.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNetLite', arch='rexnet_lite_2.0'))
