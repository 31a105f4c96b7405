"""The command of clovaai/rexnet's README: 4 x 128 images, SGD at 0.5, weight decay 1e-5, cosine
over 400 epochs, AMP (--amp), RandAugment, random erasing of 0.2, dropout of 0.2 (--drop).

The rest are timm's defaults of that time (timm 47a7b3b5, September 2020): Nesterov's momentum, no
decay of norms and biases, 3 epochs of warm-up from 1e-4, 1e-5 at the end and for 10 epochs after
it, label smoothing 0.1, bilinear or bicubic at random, no colour jitter with RandAugment. The rate
changes with the epoch.
"""

_base_ = ['./imagenet.py']

model = dict(dropout=0.2)
crop, flip, pack = _base_.train_pipeline
train_pipeline = [
    crop | dict(interpolation='random'),
    flip,
    dict(type='rexdense.RandAugment', policy='rand-m9-mstd0.5'),
    dict(type='rexdense.RandomErasing', probability=0.2, mode='pixel'),
    pack,
]
load, crop, pack = _base_.test_pipeline
test_pipeline = [load, crop | dict(interpolation='bicubic'), pack]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=128, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=410, val_interval=1)
param_scheduler = [
    # The full rate is reached at epoch 3.
    dict(type='LinearLR', start_factor=0.0002, by_epoch=True, begin=0, end=4),
    # Epoch 400 is the first at 1e-5.
    dict(type='CosineAnnealingLR', T_max=400, eta_min=1e-5, by_epoch=True, begin=0, end=401),
]
optim_wrapper = dict(
    optimizer=dict(lr=0.5, nesterov=True, weight_decay=1e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(enable=True, base_batch_size=512)
