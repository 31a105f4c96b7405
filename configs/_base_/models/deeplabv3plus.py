"""DeepLabV3+ (Chen et al. 2018) at output stride 16; a config adds the backbone.

A config that inherits this sets model.backbone, model.decode_head.in_channels and c1_in_channels
(rexdense.arch.channels) and model.decode_head.num_classes. The head's widths are those of mmseg's
configs for small backbones (configs/mobilenet_v2).
"""

_base_ = ['./unet.py']

model = dict(
    backbone=dict(out_indices=(1, 4), output_stride=16),
    decode_head=dict(
        _delete_=True,
        type='mmseg.DepthwiseSeparableASPPHead',
        in_index=1,
        channels=128,
        # For output stride 16; twice as large at 8 (Chen et al. 2017, section 3.3).
        dilations=(1, 6, 12, 18),
        c1_channels=48,
        dropout_ratio=0.1,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='rexdense.CrossEntropyLoss'),
    ),
)
