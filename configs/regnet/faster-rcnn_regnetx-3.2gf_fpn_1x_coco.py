r"""Faster R-CNN with RegNetX-3.2GF and FPN on COCO 2017, for 8 GPUs x 2 images.

    torchrun --nproc-per-node 8 -m rexdense train \
        configs/regnet/faster-rcnn_regnetx-3.2gf_fpn_1x_coco.py --launcher pytorch

It starts from the ImageNet weights of pycls, which are downloaded once; they read images as BGR,
which the data preprocessor here takes from them. Others: --pretrained NAME or FILE, which sets the
data preprocessor, too.

Not trained here. mmdet reports 39.9 AP for its own RegNetX-3.2GF with these weights and the 1x
schedule (mmdet configs/regnet).
"""

_base_ = [
    '../_base_/models/faster-rcnn_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sgd_1x.py',
    '../_base_/runtime.py',
]
from rexdense.arch import channels
from rexdense.checkpoint import published_preprocessing

arch = 'regnetx_3.2gf'
weights_from = 'pycls'
model = dict(
    data_preprocessor=published_preprocessing(weights_from, arch).data_preprocessor(),
    backbone=dict(
        type='rexdense.RegNet',
        arch=arch,
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(
            type='rexdense.Pretrained',
            checkpoint='regnetx_3.2gf:pycls.dds_8gpu',
            source=weights_from,
        ),
    ),
    neck=dict(in_channels=channels(arch)),
)
# mmdet's RegNets have half the decay of its ResNets (mmdet configs/regnet).
optim_wrapper = dict(optimizer=dict(weight_decay=0.00005))
