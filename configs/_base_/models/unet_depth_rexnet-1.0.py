"""A depth U-Net over ReXNet-1.0 with the ImageNet weights of clovaai/rexnet. A config that inherits
this sets model.decode_head.min_depth and max_depth (metres)."""

_base_ = ['./unet_depth.py']

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(
        type='rexdense.ReXNet',
        arch=arch,
        out_indices=(0, 1, 2, 3, 4),
        init_cfg=dict(type='rexdense.Pretrained', checkpoint='rexnet_1.0:timm.nav_in1k_pth'),
    ),
    decode_head=dict(arch=arch),
)
