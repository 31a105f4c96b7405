"""Semantic FPN (Kirillov et al. 2019, "Panoptic Feature Pyramid Networks", section 3.2), with
mmseg's settings; a config adds the backbone.

A config that inherits this sets model.backbone, model.neck.in_channels (rexdense.arch.channels) and
model.decode_head.num_classes.
"""

_base_ = ['./unet.py']

model = dict(
    neck=dict(type='mmseg.FPN', out_channels=256, num_outs=4),
    decode_head=dict(
        _delete_=True,
        type='mmseg.FPNHead',
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='rexdense.CrossEntropyLoss'),
    ),
)
