r"""Faster R-CNN with ReXNet-1.0 and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/rexnet/faster-rcnn_rexnet-1.0_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights of clovaai/rexnet in timm's copy, which is downloaded once;
others: --pretrained NAME or FILE.

Not trained here. The ReXNet authors report 38.5 AP for this backbone at 1200 x 800 (clovaai/rexnet
README); their schedule was not published, mmdet's 1x stands here in its place.
"""

_base_ = [
    '../_base_/models/faster-rcnn_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sgd_1x.py',
    '../_base_/runtime.py',
]
from rexdense.arch import channels

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(
        type='rexdense.ReXNet',
        arch=arch,
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='rexdense.Pretrained', checkpoint='rexnet_1.0:timm.nav_in1k_pth'),
    ),
    neck=dict(in_channels=channels(arch)),
)
