"""Faster R-CNN with FPN, narrowed for small data sets trained from random weights, on a CPU too.

Against faster-rcnn_fpn.py: a quarter of the channels, because the heads rule the time of a step on
a CPU; 128 regions a image instead of 512 and half the proposals, for the same reason; anchors of
half the size,
because small sets are mostly trained on small images; batch normalisation in the FPN, without which
random weights learn
slowly at a high rate.
"""

_base_ = ['./faster-rcnn_fpn.py']

width = 64
model = dict(
    neck=dict(out_channels=width, norm_cfg=dict(type='BN')),
    rpn_head=dict(in_channels=width, feat_channels=width, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=width, finest_scale=28),
        bbox_head=dict(in_channels=width, fc_out_channels=512),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=1000, max_per_img=500),
        rcnn=dict(sampler=dict(num=128)),
    ),
    test_cfg=dict(rpn=dict(max_per_img=300)),
)
