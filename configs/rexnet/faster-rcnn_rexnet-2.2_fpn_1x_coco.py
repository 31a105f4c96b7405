r"""Faster R-CNN with ReXNet-2.2 and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/rexnet/faster-rcnn_rexnet-2.2_fpn_1x_coco.py --launcher pytorch

No ImageNet weights of this network are published. With those of a classifier of your own, freeze
what mmdet freezes:

    --pretrained FILE --cfg-options model.backbone.frozen_stages=1 \
        model.backbone.norm_eval=True

Not trained here. clovaai prints 41.5 box AP (COCO val2017, Faster R-CNN with FPN, 1200 x 800; the
schedule was not published). Longer, and at several scales: --with 3x 1333x640-800
(docs/detection.md).
"""

_base_ = ['../_base_/recipes/faster_rcnn_fpn_1x_coco.py']
from rexdense.engine.config.pretrained import detector_sections

model = detector_sections('rexnet_2.2', None)
