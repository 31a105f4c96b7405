r"""Depth by a U-Net over ReXNet-1.0 on the drawn Shapes data set, minutes on a CPU, from random
weights.

    python tools/make_shapes.py data/shapes
    python tools/train.py configs/depth/unet_rexnet-1.0_shapes.py

Expected: TODO
"""

_base_ = [
    '../_base_/models/unet_depth.py',
    '../_base_/datasets/depth_folder.py',
    '../_base_/schedules/adamw_small.py',
    '../_base_/runtime_segmentation.py',
]

data_root = 'data/shapes/'
max_epochs = 6
arch = 'rexnet_1.0'
model = dict(
    backbone=dict(type='rexdense.ReXNet', arch=arch, out_indices=(0, 1, 2, 3, 4)),
    # The ground is 2 to 6 m away.
    decode_head=dict(arch=arch, min_depth=1.0, max_depth=10.0),
)
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(max_depth=10.0)
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=30))
