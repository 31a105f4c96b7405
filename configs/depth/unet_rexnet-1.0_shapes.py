r"""Depth by a U-Net over ReXNet-1.0 on the drawn Shapes data set, minutes on a CPU, from random
weights.

    rexdense shapes data/shapes
    rexdense train configs/depth/unet_rexnet-1.0_shapes.py --seed 0

Expected on Shapes val, after 2 minutes and 22 seconds on two cores:

                                     AbsRel    RMSE       delta < 1.25
    this U-Net                       0.038     0.189 m    0.982 of the pixels
    mean depth of each pixel         0.051     0.251 m    0.961
    mean depth of all pixels         0.288     1.076 m    0.404

The means are those of the training images. The mean of each pixel knows the ground, which is the
same in all pictures, but not the objects on it. Print both baselines with

    rexdense depth-baseline configs/depth/unet_rexnet-1.0_shapes.py
"""

_base_ = ['./unet_rexnet-1.0_custom.py']

data_root = 'data/shapes/'
max_epochs = 6
# The ground is 2 to 6 m away.
model = dict(decode_head=dict(min_depth=1.0))
resize = dict(type='Resize', scale=(160, 160), keep_ratio=True)
load, load_depth, _, flip, pack = _base_.train_pipeline
train_pipeline = [load, load_depth, resize, flip, pack]
test_pipeline = [load, resize, load_depth, pack]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up | dict(end=50), cosine | dict(T_max=max_epochs, end=max_epochs)]
optim_wrapper = dict(optimizer=dict(lr=0.002))
default_hooks = dict(logger=dict(interval=30))
