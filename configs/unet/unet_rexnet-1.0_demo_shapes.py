r"""The demo of make unet-demo: a U-Net over ReXNet-1.0 on the drawn Shapes set, minutes on a CPU.

    make unet-demo

Expected TODO
"""

_base_ = ['./unet_rexnet-1.0_custom.py']

scale = (128, 128)
# The shapes are drawn at any angle, so every flip is another picture of the kind.
flip = dict(
    type='RandomFlip',
    prob=[0.25, 0.25, 0.25],
    direction=['horizontal', 'vertical', 'diagonal'],
)
load, annotations, _, _, _, _, pack = _base_.train_pipeline
resize = dict(type='Resize', scale=scale)
train_pipeline = [load, annotations, resize, flip, pack]
test_pipeline = [load, resize, annotations, pack]
data_root = 'data/shapes/'
model = dict(
    decode_head=dict(
        num_classes=7,
        # Five sixths of the pixels are background, which is soon learnt.
        loss_decode=dict(class_weight=[0.2, 1, 1, 1, 1, 1, 1], avg_non_ignore=False),
    )
)
train_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
max_epochs = 8
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
optim_wrapper = dict(optimizer=dict(lr=0.002))
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(logger=dict(interval=20))
