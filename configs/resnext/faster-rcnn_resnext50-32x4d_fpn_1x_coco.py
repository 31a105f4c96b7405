r"""Faster R-CNN with ResNeXt-50 32x4d and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/resnext/faster-rcnn_resnext50-32x4d_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights of torchvision, which are downloaded once. Others: --pretrained
NAME or FILE, which sets the data preprocessor, and for MindCV's the padding of the first pooling,
too.

Not trained here. With this schedule mmdet reports 37.4 AP for R-50 and 41.2 for X-101 32x4d, the
networks below and above this one (mmdet configs/faster_rcnn).
"""

_base_ = [
    '../_base_/models/faster-rcnn_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sgd_1x.py',
    '../_base_/runtime.py',
]
from rexdense.arch import channels
from rexdense.checkpoint import published_preprocessing

arch = 'resnext50_32x4d'
weights_from = 'torchvision'
model = dict(
    data_preprocessor=published_preprocessing(weights_from, arch).data_preprocessor(),
    backbone=dict(
        type='rexdense.ResNeXt',
        arch=arch,
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(
            type='rexdense.Pretrained',
            checkpoint='resnext50_32x4d:torchvision.v1',
            source=weights_from,
        ),
    ),
    neck=dict(in_channels=channels(arch)),
)
