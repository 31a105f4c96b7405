"""A user's folder below --data-root: images/{train,val}, labels/{train,val}, classes.txt."""

data_root = 'data/custom/'
scale = (640, 480)
train_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='rexdense.LoadSegmentationAnnotations'),
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(256, 256), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    # Loaded after the resizing: metrics are computed at the size of the annotation.
    dict(type='rexdense.LoadSegmentationAnnotations'),
    dict(type='mmseg.PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    # Batch norm has no statistics for a last batch of one image.
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='rexdense.SegmentationDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/train', seg_map_path='labels/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='rexdense.SegmentationDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/val', seg_map_path='labels/val'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='rexdense.SegmentationMetric')
test_evaluator = val_evaluator
