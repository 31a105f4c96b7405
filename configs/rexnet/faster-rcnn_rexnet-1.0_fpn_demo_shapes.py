"""Faster R-CNN with ReXNet-1.0 on the drawn Shapes data set, minutes on a CPU, from random weights.

    make demo

Expected: bbox AP50 of 0.84 on Shapes val, in 4 to 8 minutes on two cores, by processor.
"""

_base_ = ['./faster-rcnn_rexnet-1.0_fpn_custom_coco.py']
from rexdense.arch import channels

data_root = 'data/shapes/'
max_epochs = 8
# For images of 160 pixels c5 is 5 x 5: the network ends at c4, which saves a third of the time.
out_indices = (1, 2, 3)
strides = [4, 8, 16, 32]
model = dict(
    backbone=dict(out_indices=out_indices),
    neck=dict(in_channels=channels('rexnet_1.0', out_indices), num_outs=len(strides)),
    rpn_head=dict(anchor_generator=dict(strides=strides)),
    roi_head=dict(
        bbox_roi_extractor=dict(featmap_strides=strides[:3]),
        bbox_head=dict(num_classes=6),
    ),
    # Small images have few regions. The class of an object is slow to learn, because colours reveal
    # nothing, so half of the regions may be objects.
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=100),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100)),
)
resize = dict(type='mmdet.Resize', scale=(160, 160), keep_ratio=True)
# The shapes are drawn at any angle, so every flip is another valid picture.
flip = dict(
    type='mmdet.RandomFlip',
    prob=[0.25, 0.25, 0.25],
    direction=['horizontal', 'vertical', 'diagonal'],
)
load, annotations, _, _, pack = _base_.train_pipeline
train_pipeline = [load, annotations, resize, flip, pack]
_, _, _, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations, pack]
train_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
# The rate is for this batch of 4.
optim_wrapper = dict(optimizer=dict(lr=0.002))
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(logger=dict(interval=30))
