"""Faster R-CNN with FPN (Ren et al. 2015, Lin et al. 2017), as in mmdet, without a backbone.

A config that inherits this sets model.backbone and model.neck.in_channels (rexdense.arch.channels).
"""

_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']

model = dict(backbone=dict(_delete_=True))
