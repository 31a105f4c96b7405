r"""U-Net over ReXNet-1.0 on Cityscapes, for 4 GPUs x 2 crops of 512 x 1024.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/unet/unet_rexnet-1.0_80k_cityscapes.py --launcher pytorch

It starts from the ImageNet weights of clovaai/rexnet in timm's copy, which is downloaded once;
others: --pretrained NAME or FILE.

Not trained here. The schedule is mmseg's for this set.
"""

_base_ = [
    '../_base_/models/unet_rexnet-1.0.py',
    '../_base_/datasets/cityscapes.py',
    '../_base_/runtime_segmentation_by_iteration.py',
    '../_base_/schedules/sgd_poly_80k.py',
]

model = dict(decode_head=dict(num_classes=19))
