"""Mask R-CNN with FPN (He et al. 2017), as in mmdet, without a backbone.

A config that inherits this sets model.backbone and model.neck.in_channels (rexdense.arch.channels).
"""

_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py']

model = dict(backbone=dict(_delete_=True))
