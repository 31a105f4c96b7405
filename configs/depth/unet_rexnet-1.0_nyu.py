r"""Depth by a U-Net over ReXNet-1.0 on NYU Depth v2, for 2 GPUs x 8 images.

    torchrun --nproc-per-node 2 -m rexdense train configs/depth/unet_rexnet-1.0_nyu.py \
        --launcher pytorch

configs/_base_/datasets/nyu_depth.py describes the layout of the data and the sources of crops and
metrics, configs/_base_/schedules/adamw_depth.py the source of the schedule.

It starts from the ImageNet weights of clovaai/rexnet in timm's copy, which is downloaded once;
others: --pretrained NAME or FILE.

Not trained here.
"""

_base_ = [
    '../_base_/models/unet_depth_rexnet-1.0.py',
    '../_base_/datasets/nyu_depth.py',
    '../_base_/schedules/adamw_depth.py',
    '../_base_/runtime_segmentation.py',
]

model = dict(decode_head=dict(min_depth=0.1, max_depth=10.0))
default_hooks = dict(checkpoint=dict(save_best='depth/abs_rel', rule='less'))
