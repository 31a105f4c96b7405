r"""DeepLabV3+ over ReXNet-1.0 at output stride 16 on Cityscapes, for 4 GPUs x 2 crops.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/deeplabv3plus/deeplabv3plus_rexnet-1.0-d16_80k_cityscapes.py --launcher pytorch

It starts from the ImageNet weights of clovaai/rexnet in timm's copy, which is downloaded once.
--pretrained NAME or FILE selects other weights.

Not trained here. mmseg reports 75.20 mIoU with MobileNetV2 at output stride 8 and the same schedule
(configs/mobilenet_v2).
"""

_base_ = [
    '../_base_/models/deeplabv3plus.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/runtime_segmentation_by_iteration.py',
    '../_base_/schedules/sgd_poly_80k.py',
]
from rexdense.arch import channels

arch = 'rexnet_1.0'
shallow, deep = channels(arch, (1, 4))
model = dict(
    backbone=dict(
        type='rexdense.ReXNet',
        arch=arch,
        init_cfg=dict(type='rexdense.Pretrained', checkpoint='rexnet_1.0:timm.nav_in1k_pth'),
    ),
    decode_head=dict(in_channels=deep, c1_in_channels=shallow, num_classes=19),
)
