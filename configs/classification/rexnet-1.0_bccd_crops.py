r"""ReXNet-1.0 as a classifier of blood cells cut out of the images of BCCD, from random weights.

    rexdense prepare DIR --crops CROPS
    rexdense train configs/classification/rexnet-1.0_bccd_crops.py --data-root CROPS

Expected on val after 5 epochs: top-1 0.997, mean class accuracy 0.988 (seed 0). Its
backbone is what cascade-rcnn_rexnet-1.0_fpn_bccd.py begins with.
"""

_base_ = ['./rexnet-1.0_demo_shapes.py']

data_root = 'data/bccd_crops/'
max_epochs = 5
# About the size of the cells as the detector sees them: half of them are below 64 pixels.
size = 80
load, crop, *others = _base_.train_pipeline
train_pipeline = [load, crop | dict(size=size), *others]
load, crop, pack = _base_.test_pipeline
test_pipeline = [load, crop | dict(size=size), pack]
model = dict(num_classes=3)
train_dataloader = dict(batch_size=32, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
