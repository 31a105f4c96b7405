r"""ReXNet-lite 1.5 on ImageNet, by the command of clovaai/rexnet's README.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/classification/rexnet_lite/rexnet-lite-1.5_clovaai_imagenet.py \
        --data-root DIR --launcher pytorch --amp

Not trained here. clovaai/rexnet prints 78.6 top-1; that its lite networks were trained with the
same command is not said there.
"""

_base_ = ['../../_base_/recipes/clovaai.py']

model = dict(backbone=dict(type='rexdense.ReXNetLite', arch='rexnet_lite_1.5'))
