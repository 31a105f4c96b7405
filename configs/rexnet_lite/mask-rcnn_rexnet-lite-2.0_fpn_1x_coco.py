r"""Mask R-CNN with ReXNet-lite-2.0 and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/rexnet_lite/mask-rcnn_rexnet-lite-2.0_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights rexnet_lite_2.0:clovaai.in1k, which are downloaded once; Google
Drive has them, pip install gdown; others: --pretrained NAME or FILE, which sets the data
preprocessor, too.

Not trained here. Longer, and at several scales: --with 3x 1333x640-800 (docs/detection.md).
"""

_base_ = ['../_base_/recipes/mask_rcnn_fpn_1x_coco.py']
from rexdense.engine.config.pretrained import detector_sections

model = detector_sections('rexnet_lite_2.0', 'clovaai.in1k')
