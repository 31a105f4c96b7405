"""MindCV's ResNeXts (configs/resnext): 8 x 32 images, SGD at 0.1, a cosine to 0 over 150 epochs
without warm-up, weight decay 1e-4 except on norms and biases, label smoothing 0.1, crops and flips,
mixed precision (--amp). The rate changes with every step."""

_base_ = ['./imagenet.py']

train_dataloader = dict(batch_size=32)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=150, val_interval=1)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        T_max=150,
        eta_min=0.0,
        by_epoch=True,
        begin=0,
        end=150,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(
    optimizer=dict(lr=0.1, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(enable=True, base_batch_size=256)
