"""MindCV's RegNetX-800MF (configs/regnet): like the others, but with 200 epochs, weight decay 1e-4,
and bilinear crops in training and evaluation; the rate changes with the epoch."""

_base_ = ['./mindcv_regnet.py']

crop, *others = _base_.train_pipeline
train_pipeline = [crop | dict(interpolation='bilinear'), *others]
load, crop, pack = _base_.test_pipeline
test_pipeline = [load, crop | dict(interpolation='bilinear'), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=200)
param_scheduler = [
    # The full rate is reached at epoch 5.
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=6),
    dict(type='CosineAnnealingLR', T_max=195, eta_min=0.0, by_epoch=True, begin=5, end=200),
]
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
