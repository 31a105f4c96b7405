r"""Faster R-CNN with ReXNet-1.0 on a folder of your own in COCO form, from random weights.

    rexdense train configs/rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco.py --data-root DIR

Not trained here: the result depends on the data. faster-rcnn_rexnet-1.0_fpn_bccd.py is the same
recipe on a real data set, with its metrics.

The classes come from DIR/annotations/train.json. With ImageNet weights, fewer epochs suffice:

    --pretrained clovaai
"""

_base_ = [
    '../_base_/models/faster-rcnn_fpn_small.py',
    '../_base_/datasets/coco_folder.py',
    '../_base_/runtime.py',
    '../_base_/schedules/adamw_small.py',
]
from rexdense.arch import channels

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(type='rexdense.ReXNet', arch=arch),
    neck=dict(in_channels=channels(arch)),
)
# Small data sets have few steps per epoch.
default_hooks = dict(logger=dict(interval=10))
