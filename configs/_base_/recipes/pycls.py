"""pycls' RegNets (configs/dds_baselines; Dollar et al. 2021, "Fast and Accurate Model Scaling"):
SGD with Nesterov's momentum at 0.1 for 128 images, here 0.8 for 8 x 128, a cosine to 0 over 100
epochs with 5 of warm-up from a tenth, weight decay 5e-5 on all, no label smoothing, crops, flips
and lighting noise of 0.1.

Networks of 3.2 to 16 GF have 8 x 64 images per step, larger ones 8 x 32. The rate changes with the
epoch. Like pycls, it recomputes batch-norm statistics over 8192 images before each test. The
networks take BGR images.
"""

_base_ = ['./imagenet.py']

crop, flip, pack = _base_.train_pipeline
train_pipeline = [crop, flip, dict(type='rexdense.Lighting', std=0.1), pack]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
model = dict(
    data_preprocessor=dict(
        mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False
    ),
    label_smoothing=0.0,
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
param_scheduler = [
    # The full rate is reached at epoch 5.
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=6),
    dict(type='CosineAnnealingLR', T_max=100, eta_min=0.0, by_epoch=True, begin=0, end=100),
]
optim_wrapper = dict(optimizer=dict(lr=0.8, nesterov=True, weight_decay=5e-5))
auto_scale_lr = dict(enable=True, base_batch_size=1024)
custom_hooks = [dict(type='rexdense.PreciseBatchNorm', num_samples=8192)]
