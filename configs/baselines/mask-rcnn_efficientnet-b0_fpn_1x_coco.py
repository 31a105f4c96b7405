r"""Mask R-CNN with EfficientNet-B0 and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/baselines/mask-rcnn_efficientnet-b0_fpn_1x_coco.py --launcher pytorch

It is EfficientNet-B0 as mmdet has it, by the recipe of this folder's neighbours, to be measured
beside them. It starts from ImageNet weights that are downloaded once.

Not trained here. clovaai prints 38.4 box AP and 34.8 mask AP (COCO val2017, Mask R-CNN with FPN,
1200 x 800; the schedule was not published). Longer, and at several scales: --with 3x 1333x640-800
(docs/detection.md).
"""

_base_ = ['../_base_/recipes/mask_rcnn_fpn_1x_coco.py']

model = dict(
    backbone=dict(
        type='EfficientNet',
        arch='b0',
        out_indices=(2, 3, 4, 5),
        frozen_stages=3,
        norm_cfg=dict(type='BN', eps=0.001, requires_grad=True),
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/efficientnet/'
            'efficientnet-b0_3rdparty_8xb32_in1k_20220119-a7e2a0b1.pth',
        ),
    ),
    neck=dict(in_channels=[24, 40, 112, 320]),
)
