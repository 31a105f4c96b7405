"""MindCV's ReXNet x09, x10 and x13 (configs/rexnet): 8 x 64 images, SGD at 0.5 with Nesterov's
momentum, 400 epochs, 5 of them warm-up from 0, a cosine to 1e-6, weight decay 1e-5 except on norms
and biases, label smoothing 0.1, mixed precision (--amp).

MindCV's RandAugment has 14 operations, without SolarizeAdd; here it has timm's 15. The rate changes
with every step.
"""

_base_ = ['./clovaai.py']

crop, *others = _base_.train_pipeline
train_pipeline = [crop | dict(interpolation='bicubic'), *others]
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=64)
test_dataloader = dict(batch_size=64)
train_cfg = dict(max_epochs=400)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=395,
        eta_min=1e-6,
        by_epoch=True,
        begin=5,
        end=400,
        convert_to_iter_based=True,
    ),
]
