r"""Mask R-CNN with RegNetX-8.0GF and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/regnet/mask-rcnn_regnetx-8.0gf_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights regnetx_8.0gf:pycls.dds_8gpu, which are downloaded once; others:
--pretrained NAME or FILE, which sets the data preprocessor, too.

Not trained here. Longer, and at several scales: --with 3x 1333x640-800 (docs/detection.md).
"""

_base_ = ['../_base_/recipes/mask_rcnn_fpn_1x_coco.py']
from rexdense.engine.config.pretrained import detector_sections

model = detector_sections('regnetx_8.0gf', 'pycls.dds_8gpu')
# mmdet's RegNets have half the decay of its ResNets (mmdet configs/regnet).
optim_wrapper = dict(optimizer=dict(weight_decay=0.00005))
