r"""Cascade R-CNN with ReXNet-1.0 on BCCD (blood cells), from a classifier of the cells.

    rexdense prepare DIR --crops CROPS
    rexdense train configs/classification/rexnet-1.0_bccd_crops.py --data-root CROPS
    rexdense train configs/rexnet/cascade-rcnn_rexnet-1.0_fpn_bccd.py --data-root DIR \
        --pretrained work_dirs/rexnet-1.0_bccd_crops/epoch_5.pth

Expected on val after 20 epochs: AP 0.593, AP50 0.899 (seed 0); from the flipped images, too,

    rexdense test configs/rexnet/cascade-rcnn_rexnet-1.0_fpn_bccd.py CHECKPOINT --data-root DIR \
        --flip-test

0.607, 0.902. --epochs 12 ends at 0.572 and 0.888, with flips 0.590 and 0.901 (seed 0), and at
0.581 and 0.895, 0.598 and 0.906 (seed 1). What one head leaves is mostly boxes that lie a little
off: AP75 gains most.

Of no help: other thresholds of non-maximum suppression (0.4, 0.6: AP within 0.0005); its soft form
gains 0.003. A third of what is lost at an IoU of 0.5 is cells found where no annotation is.
"""

_base_ = ['./faster-rcnn_rexnet-1.0_fpn_bccd.py']
from rexdense.engine.config.cascade import cascade_model

# 5/8 of the size of the photographs, in training up to a fifth more or less: the sizes of cells and
# the scales of microscopes differ. Stains and lamps differ, too.
scale = (400, 300)
resize = dict(
    type='RandomResize',
    scale=scale,
    ratio_range=(0.8, 1.2),
    keep_ratio=True,
    resize_type='mmdet.Resize',
)
colour = dict(
    type='mmdet.PhotoMetricDistortion',
    brightness_delta=16,
    contrast_range=(0.8, 1.2),
    saturation_range=(0.8, 1.2),
    hue_delta=6,
)
load, annotations, _, flip, pack = _base_.train_pipeline
train_pipeline = [load, annotations, colour, resize, flip, pack]
load, resize_to_measure, annotations, pack = _base_.test_pipeline
test_pipeline = [load, resize_to_measure | dict(scale=scale), annotations, pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = cascade_model(_base_.model)
