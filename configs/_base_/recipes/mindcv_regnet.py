"""MindCV's RegNets of 200 to 600 MF and RegNetY-800MF (configs/regnet): 8 x 64 images, SGD at 0.1,
150 epochs, 5 of them warm-up from a hundredth, a cosine to 0, weight decay 5e-5 except on norms and
biases, label smoothing 0.1, colour jitter of 0.4, random erasing of 0.1, mixed precision (--amp).

The rate changes with every step.
"""

_base_ = ['./imagenet.py']

crop, flip, pack = _base_.train_pipeline
train_pipeline = [
    crop | dict(interpolation='bicubic'),
    flip,
    dict(type='rexdense.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4),
    # MindCV's erasing without re_value fills with a constant.
    dict(type='rexdense.RandomErasing', probability=0.1, mode='const'),
    pack,
]
load, crop, pack = _base_.test_pipeline
test_pipeline = [load, crop | dict(interpolation='bicubic'), pack]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=150, val_interval=1)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=145,
        eta_min=0.0,
        by_epoch=True,
        begin=5,
        end=150,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(
    optimizer=dict(lr=0.1, weight_decay=5e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(enable=True, base_batch_size=512)
