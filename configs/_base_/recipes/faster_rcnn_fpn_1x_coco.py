"""Faster R-CNN with FPN on COCO 2017 with mmdet's 1x schedule, without a backbone.

A config that inherits this sets the sections of its backbone
(rexdense.engine.config.pretrained.detector_sections).
"""

_base_ = [
    '../models/faster-rcnn_fpn.py',
    '../datasets/coco_detection.py',
    '../schedules/sgd_1x.py',
    '../runtime.py',
]
