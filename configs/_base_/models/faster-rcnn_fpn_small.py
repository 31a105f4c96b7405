"""Faster R-CNN with FPN, narrowed for small data sets trained from random weights, also on a CPU.

Differences to faster-rcnn_fpn.py, with reasons (times of a step with 5 images of 320 x 240 on two
cores):

- 64 channels instead of 256, half the fully connected width, 128 regions instead of 512: the heads
  dominate the time of a step on a CPU;
- one sample per bin in RoIAlign instead of an adaptive number (a tenth of the step), 500 candidates
  per level before NMS instead of 2000 (another twentieth);
- anchors of half the size: small data sets are mostly trained on small images;
- batch normalisation in the FPN: random weights learn slowly without it.
"""

_base_ = ['./faster-rcnn_fpn.py']

width = 64
model = dict(
    neck=dict(out_channels=width, norm_cfg=dict(type='BN')),
    rpn_head=dict(in_channels=width, feat_channels=width, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(
            out_channels=width, finest_scale=28, roi_layer=dict(sampling_ratio=1)
        ),
        bbox_head=dict(in_channels=width, fc_out_channels=512),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=250),
        rcnn=dict(sampler=dict(num=128)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300)),
)
