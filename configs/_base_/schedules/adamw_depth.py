"""AdaBins' schedule (Bhat et al. 2021): 25 epochs of AdamW, weight decay 0.1, and one cycle of the
rate, up to 0.000357 within 30 % of the run and down to almost nothing; for 16 images."""

max_epochs, warm_up = 25, 7
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1 / 25,
        by_epoch=True,
        begin=0,
        end=warm_up,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warm_up,
        eta_min=1.4e-7,
        by_epoch=True,
        begin=warm_up,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.000357, weight_decay=0.1),
    # As both papers' code does.
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
auto_scale_lr = dict(enable=True, base_batch_size=16)
