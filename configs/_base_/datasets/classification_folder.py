"""A user's folder below --data-root: train/<class>/* and val/<class>/*, images of any size."""

data_root = 'data/custom/'
size = 224
# Transparent pixels become white.
background = 255
train_pipeline = [
    dict(
        type='rexdense.LoadRandomResizedCrop',
        size=size,
        interpolation='random',
        background=background,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='rexdense.RandAugment', policy='rand-m9-mstd0.5'),
    dict(type='rexdense.RandomErasing', probability=0.2),
    dict(type='rexdense.PackClassification'),
]
test_pipeline = [
    dict(type='rexdense.LoadImage', background=background),
    dict(type='rexdense.ResizeCenterCrop', size=size, crop=0.875),
    dict(type='rexdense.PackClassification'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    # Batch norm has no statistics for a last batch of one image.
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='rexdense.ClassificationDataset',
        data_root=data_root,
        split='train',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='rexdense.ClassificationDataset',
        data_root=data_root,
        split='val',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='rexdense.ClassificationMetric')
test_evaluator = val_evaluator
