r"""Mask R-CNN with ResNeXt-101 32x4d and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/resnext/mask-rcnn_resnext101-32x4d_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights resnext101_32x4d:openmmlab.in1k, which are downloaded once;
others: --pretrained NAME or FILE, which sets the data preprocessor, too.

Not trained here. mmdet prints 41.9 box AP and 37.5 mask AP (COCO val2017, Mask R-CNN with FPN, 1333
x 800, 1x schedule (12 epochs)). Longer, and at several scales: --with 3x 1333x640-800
(docs/detection.md).
"""

_base_ = ['../_base_/recipes/mask_rcnn_fpn_1x_coco.py']
from rexdense.engine.config.pretrained import detector_sections

model = detector_sections('resnext101_32x4d', 'openmmlab.in1k')
