r"""SSDLite with ReXNet-1.0 at 320 x 320 on a folder of your own in COCO form, from random weights.

    rexdense train configs/ssdlite/ssdlite_rexnet-1.0_320_custom_coco.py --data-root DIR

Not trained here: the result depends on the data. It is smaller and faster than Faster R-CNN, but
worse on small objects: images are resized to 320 x 320, and the finest map has a pixel per 16
pixels of these. The classes come from DIR/annotations/train.json. Random weights need many epochs;
ImageNet weights need fewer:

    --pretrained clovaai --epochs 30
"""

_base_ = [
    '../_base_/models/ssdlite.py',
    '../_base_/datasets/coco_folder.py',
    '../_base_/runtime.py',
    '../_base_/schedules/adamw_small.py',
]
from rexdense.engine.config.pretrained import ssdlite_sections

max_epochs = 80
model = ssdlite_sections('rexnet_1.0', None, _base_.taps, _base_.added_channels)
resize = dict(type='mmdet.Resize', scale=(320, 320), keep_ratio=False)
load, annotations, _, flip, pack = _base_.train_pipeline
train_pipeline = [
    load,
    annotations,
    # Smaller pictures turn large objects into small ones; crops do the reverse.
    dict(
        type='mmdet.Expand',
        mean=_base_.model.data_preprocessor.mean,
        to_rgb=True,
        ratio_range=(1, 2),
    ),
    dict(type='mmdet.MinIoURandomCrop', min_ious=(0.3, 0.5, 0.7, 0.9), min_crop_size=0.3),
    resize,
    flip,
    dict(type='mmdet.PhotoMetricDistortion'),
    pack,
]
load, _, annotations, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations, pack]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
# The rate is for this batch of 16.
auto_scale_lr = dict(base_batch_size=16)
# Small data sets have few steps per epoch.
default_hooks = dict(logger=dict(interval=10))
