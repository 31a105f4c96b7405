"""SSDLite with ReXNet-1.0 on the drawn Shapes data set, minutes on a CPU, from random weights.

    rexdense demo ssdlite

Expected: bbox AP of 0.355 and AP50 of 0.533 on Shapes val, in 4 minutes on two cores.

It is ssdlite_rexnet-1.0_320_custom_coco.py at half the size: it starts at c3, with half the anchor
sizes and strides.
"""

_base_ = ['./ssdlite_rexnet-1.0_320_custom_coco.py']
from rexdense.engine.config.pretrained import ssdlite_sections

data_root = 'data/shapes/'
max_epochs = 12
added_channels = [256, 128, 128]
model = ssdlite_sections('rexnet_1.0', None, (2, 3, 4), added_channels)
model['neck'] |= dict(level_strides=(2, 2, 2), level_paddings=(1, 1, 1))
model['bbox_head'] |= dict(
    num_classes=6,
    anchor_generator=dict(
        strides=[8, 16, 32, 53, 80, 160],
        min_sizes=[24, 50, 75, 101, 126, 152],
        max_sizes=[50, 75, 101, 126, 152, 160],
    ),
)
resize = dict(type='mmdet.Resize', scale=(160, 160), keep_ratio=False)
# The shapes are drawn at any angle, so every flip is another valid picture.
flip = dict(
    type='mmdet.RandomFlip',
    prob=[0.25, 0.25, 0.25],
    direction=['horizontal', 'vertical', 'diagonal'],
)
load, annotations, *_, pack = _base_.train_pipeline
train_pipeline = [load, annotations, resize, flip, pack]
load, _, annotations, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations, pack]
train_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
optim_wrapper = dict(optimizer=dict(lr=0.002))
# The rate is for this batch of 8.
auto_scale_lr = dict(base_batch_size=8)
