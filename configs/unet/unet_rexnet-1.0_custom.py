r"""U-Net over ReXNet-1.0 on a folder of your own, from random weights.

    rexdense train configs/unet/unet_rexnet-1.0_custom.py --data-root DIR

DIR has images/train, images/val, labels/train, labels/val and classes.txt. A label map is a PNG of
one channel with the name of its image, whose values are class indices, 255 for void. classes.txt
has a class per line, in the order of the indices; three numbers after a name are its colour.

Not trained here: the result depends on the data. unet_rexnet-1.0_camvid.py is the same recipe on a
real data set, with its metrics. With ImageNet weights, fewer epochs suffice:

    --pretrained clovaai
"""

_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/segmentation_folder.py',
    '../_base_/runtime_segmentation.py',
    '../_base_/schedules/adamw_small.py',
]

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(type='rexdense.ReXNet', arch=arch, out_indices=(0, 1, 2, 3, 4)),
    # --data-root sets it to the number of classes in classes.txt.
    decode_head=dict(arch=arch, num_classes=2),
)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=10))
# A mean over pixels hardly learns rare classes; docs/segmentation.md compares both on CamVid.
custom_hooks = [*_base_.custom_hooks, dict(type='rexdense.WeighRareClasses')]
