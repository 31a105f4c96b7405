r"""Mask R-CNN with ResNet-101 and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/baselines/mask-rcnn_resnet-101_fpn_1x_coco.py --launcher pytorch

It is ResNet-101 as mmdet has it, by the recipe of this folder's neighbours, to be measured beside
them. It starts from ImageNet weights that are downloaded once.

Not trained here. Longer, and at several scales: --with 3x 1333x640-800 (docs/detection.md).
"""

_base_ = ['../_base_/recipes/mask_rcnn_fpn_1x_coco.py']

model = dict(
    backbone=dict(
        type='ResNet',
        depth=101,
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.pytorch.org/models/resnet101-63fe2227.pth',
        ),
    ),
    neck=dict(in_channels=[256, 512, 1024, 2048]),
)
