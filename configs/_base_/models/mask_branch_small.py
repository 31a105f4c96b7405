"""The branch that turns the small Faster R-CNN into a Mask R-CNN. A config inherits both, and sets
model = _base_.mask_branch.

Differences to mmdet's: two convolutions of 64 channels instead of four of 256, and one sample per
bin in RoIAlign. On a CPU the mask head dominates the time of a step, because it processes maps of
14 x 14 for each object.
"""

mask_branch = dict(
    type='MaskRCNN',
    data_preprocessor=dict(pad_mask=True),
    roi_head=dict(
        mask_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=1),
            out_channels=64,
            featmap_strides=[4, 8, 16, 32],
            finest_scale=28,
        ),
        mask_head=dict(
            type='FCNMaskHead',
            num_convs=2,
            in_channels=64,
            conv_out_channels=64,
            num_classes=80,
            loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(mask_size=28)),
    test_cfg=dict(rcnn=dict(mask_thr_binary=0.5)),
)
