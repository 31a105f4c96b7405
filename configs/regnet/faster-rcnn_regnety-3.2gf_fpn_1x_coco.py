r"""Faster R-CNN with RegNetY-3.2GF and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/regnet/faster-rcnn_regnety-3.2gf_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights regnety_3.2gf:pycls.dds_8gpu, which are downloaded once; others:
--pretrained NAME or FILE, which sets the data preprocessor, too.

Not trained here. Longer, and at several scales: --with 3x 1333x640-800 (docs/detection.md).
"""

_base_ = ['../_base_/recipes/faster_rcnn_fpn_1x_coco.py']
from rexdense.engine.config.pretrained import detector_sections

model = detector_sections('regnety_3.2gf', 'pycls.dds_8gpu')
# mmdet's RegNets have half the decay of its ResNets (mmdet configs/regnet).
optim_wrapper = dict(optimizer=dict(weight_decay=0.00005))
