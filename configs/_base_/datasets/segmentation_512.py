"""Public segmentation data sets: crops of 512 x 512, four per GPU, whole images in validation.

A config that inherits this sets the data set of each loader: type, data_root and data_prefix.
"""

scale = (2048, 512)
train_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='mmseg.LoadAnnotations'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    # Loaded after the resizing: metrics are computed at the size of the annotation.
    dict(type='mmseg.LoadAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='rexdense.SegmentationMetric')
test_evaluator = val_evaluator
