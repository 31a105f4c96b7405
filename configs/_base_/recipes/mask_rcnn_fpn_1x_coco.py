"""Mask R-CNN with FPN on COCO 2017 with mmdet's 1x schedule, without a backbone.

A config that inherits this sets the sections of its backbone
(rexdense.engine.config.pretrained.detector_sections).
"""

_base_ = [
    '../models/mask-rcnn_fpn.py',
    '../datasets/coco_instance.py',
    '../schedules/sgd_1x.py',
    '../runtime.py',
]
