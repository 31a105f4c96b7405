"""Mask R-CNN with ReXNet-1.0 on the drawn Shapes data set, minutes on a CPU, from random weights.

    make mask-demo

Expected: segm AP50 of 0.752 on Shapes val, in 5 to 8 minutes on two cores, by processor. With
--epochs 5 it is 0.53 to 0.68, with --epochs 7 0.75 to 0.82.
"""

_base_ = [
    './faster-rcnn_rexnet-1.0_fpn_demo_shapes.py',
    '../_base_/models/mask_branch_small.py',
]

model = _base_.mask_branch
model.roi_head.mask_head.num_classes = 6
# The box detector ends at c4, too.
model.roi_head.mask_roi_extractor.featmap_strides = _base_.strides[:3]
load, annotations, *augmented = _base_.train_pipeline
train_pipeline = [load, annotations | dict(with_mask=True), *augmented]
load, resize, annotations, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations | dict(with_mask=True), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
# A step takes a third longer than for the box detector.
max_epochs = 6
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
