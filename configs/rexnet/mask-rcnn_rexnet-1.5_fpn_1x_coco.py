r"""Mask R-CNN with ReXNet-1.5 and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/rexnet/mask-rcnn_rexnet-1.5_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights rexnet_1.5:timm.nav_in1k_pth, which are downloaded once; others:
--pretrained NAME or FILE, which sets the data preprocessor, too.

Not trained here. Longer, and at several scales: --with 3x 1333x640-800 (docs/detection.md).
"""

_base_ = ['../_base_/recipes/mask_rcnn_fpn_1x_coco.py']
from rexdense.engine.config.pretrained import detector_sections

model = detector_sections('rexnet_1.5', 'timm.nav_in1k_pth')
