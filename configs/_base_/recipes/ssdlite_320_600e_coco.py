"""SSDLite at 320 x 320 on COCO 2017 for 600 epochs, without a backbone: mmdet's recipe.

The authors of ReXNet name another recipe (Andrew-Qibin/ssdlite-pytorch-mobilenext). It has 433
epochs of 256 images instead of 600 of 192, a learning rate of 0.08 instead of 0.015 for these,
focal loss instead of three hard negatives for each object, smaller anchors (45 to 315 pixels), and
only two aspect ratios on the last map.

A config that inherits this sets the sections of its backbone
(rexdense.engine.config.pretrained.ssdlite_sections).
"""

_base_ = ['../models/ssdlite.py', '../datasets/coco_detection.py', '../runtime.py']

scale = (320, 320)
preprocessor = _base_.model.data_preprocessor
load, annotations, _, flip, pack = _base_.train_pipeline
resize = dict(type='Resize', scale=scale, keep_ratio=False)
train_pipeline = [
    load,
    annotations,
    dict(type='Expand', mean=preprocessor.mean, to_rgb=True, ratio_range=(1, 4)),
    dict(type='MinIoURandomCrop', min_ious=(0.1, 0.3, 0.5, 0.7, 0.9), min_crop_size=0.3),
    resize,
    flip,
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=32,
        contrast_range=(0.5, 1.5),
        saturation_range=(0.5, 1.5),
        hue_delta=18,
    ),
    pack,
]
load, _, annotations, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations, pack]
train_dataloader = dict(
    batch_size=24,
    num_workers=4,
    batch_sampler=None,
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=5,
        dataset=_base_.train_dataloader.dataset | dict(pipeline=train_pipeline),
    ),
)
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
max_epochs = 120
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min=0,
        by_epoch=True,
        begin=0,
        end=max_epochs,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.015, momentum=0.9, weight_decay=0.00004),
)
env_cfg = dict(cudnn_benchmark=True)
# For 8 GPUs with 24 images each.
auto_scale_lr = dict(enable=True, base_batch_size=192)
