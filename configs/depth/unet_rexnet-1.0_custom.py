r"""Depth by a U-Net over ReXNet-1.0 on a folder of your own, from random weights.

    rexdense train configs/depth/unet_rexnet-1.0_custom.py --data-root DIR

DIR has images/train, images/val, depth/train and depth/val, with a depth map of the same name for
each image: a 16-bit PNG in millimetres, or .npy in metres. Pixels of 0, NaN and infinity have no
depth. Depths must be between 0.1 and 10 m; for other ranges:

    --cfg-options model.decode_head.min_depth=1 model.decode_head.max_depth=80

Not trained here: the result depends on the data. unet_rexnet-1.0_shapes.py is the same recipe on a
drawn data set, with its metrics. With ImageNet weights, fewer epochs suffice:

    --pretrained clovaai
"""

_base_ = [
    '../_base_/models/unet_depth.py',
    '../_base_/datasets/depth_folder.py',
    '../_base_/runtime_segmentation.py',
    '../_base_/schedules/adamw_small.py',
]

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(type='rexdense.ReXNet', arch=arch, out_indices=(0, 1, 2, 3, 4)),
    decode_head=dict(arch=arch, min_depth=0.1, max_depth=10.0),
)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=10))
