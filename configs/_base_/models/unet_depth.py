"""A U-Net with a depth map and losses at every output, based on mmseg.

A config that inherits this sets model.backbone, and in model.decode_head arch (the backbone's
name), min_depth and max_depth (metres).
"""

_base_ = ['./unet.py']

model = dict(
    type='mmseg.DepthEstimator',
    # Padding has no depth.
    data_preprocessor=dict(seg_pad_val=0),
    decode_head=dict(
        _delete_=True,
        type='rexdense.MultiScaleDepthHead',
        loss_decode=[
            dict(type='rexdense.SiLogLoss'),
            dict(type='rexdense.DepthGradientLoss', loss_weight=0.5),
        ],
    ),
)
