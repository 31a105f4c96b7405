"""AdamW at 0.0001 for 16 images, with the settings of mmdet's Swin configs (configs/swin): weight
decay 0.05, none on normalisation."""

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.0001, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
