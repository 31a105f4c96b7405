"""A U-Net with a loss at every output, based on mmseg.

A config that inherits this sets model.backbone, model.decode_head.arch (the backbone's name) and
model.decode_head.num_classes.
"""

model = dict(
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        # Training crops of several sizes are padded to the largest; testing needs no padding.
        size_divisor=32,
    ),
    decode_head=dict(
        type='rexdense.MultiScaleUNetHead',
        loss_decode=dict(type='rexdense.CrossEntropyLoss'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
