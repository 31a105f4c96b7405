r"""DeepLabV3+ over ReXNet-1.0 at output stride 8 on Cityscapes.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/deeplabv3plus/deeplabv3plus_rexnet-1.0-d8_80k_cityscapes.py --launcher pytorch

Not trained here. It has finer features than deeplabv3plus_rexnet-1.0-d16_80k_cityscapes.py, for
about four times the computation in the deepest level.
"""

_base_ = ['./deeplabv3plus_rexnet-1.0-d16_80k_cityscapes.py']

model = dict(
    backbone=dict(output_stride=8),
    decode_head=dict(dilations=(1, 12, 24, 36)),
)
