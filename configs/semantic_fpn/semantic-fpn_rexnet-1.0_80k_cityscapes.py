r"""Semantic FPN over ReXNet-1.0 on Cityscapes, for 4 GPUs x 2 crops of 512 x 1024.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/semantic_fpn/semantic-fpn_rexnet-1.0_80k_cityscapes.py --launcher pytorch

It starts from the ImageNet weights of clovaai/rexnet in timm's copy, which is downloaded once.
--pretrained NAME or FILE selects other weights.

Not trained here. mmseg reports 74.52 mIoU with ResNet-50 and the same schedule (configs/sem_fpn).
"""

_base_ = [
    '../_base_/models/semantic-fpn.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/runtime_segmentation_by_iteration.py',
    '../_base_/schedules/sgd_poly_80k.py',
]
from rexdense.arch import channels

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(
        type='rexdense.ReXNet',
        arch=arch,
        init_cfg=dict(type='rexdense.Pretrained', checkpoint='rexnet_1.0:timm.nav_in1k_pth'),
    ),
    neck=dict(in_channels=channels(arch)),
    decode_head=dict(num_classes=19),
)
