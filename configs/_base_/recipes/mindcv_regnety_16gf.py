"""MindCV's RegNetY-16GF (configs/regnet): 8 x 64 images, SGD at 0.2, 350 epochs, 5 of them warm-up
from a hundredth, a cosine to 0, weight decay 4e-5 except on norms and biases, label smoothing 0.1,
RandAugment with increasing levels, random erasing of 0.25, mixup of 0.8 and CutMix of 1.0, each
image three times per batch, an evaluation crop of 0.9."""

_base_ = ['./mindcv_regnet.py']

crop, flip, _, _, pack = _base_.train_pipeline
train_pipeline = [
    crop,
    flip,
    dict(type='rexdense.RandAugment', policy='rand-m9-mstd0.5-inc1'),
    dict(type='rexdense.RandomErasing', probability=0.25, mode='pixel'),
    pack,
]
load, crop, pack = _base_.test_pipeline
test_pipeline = [load, crop | dict(crop=0.9), pack]
train_dataloader = dict(
    sampler=dict(type='rexdense.RepeatedSampler', repeats=3),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(batch_augments=dict(type='rexdense.BatchMix', mixup=0.8, cutmix=1.0))
train_cfg = dict(max_epochs=350)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=345, end=350)]
optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=4e-5))
