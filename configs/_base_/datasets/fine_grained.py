"""One of four fine-grained data sets, as its archives unpack, below --data-root. A config that
inherits this sets the layout of both splits."""

_base_ = ['./imagenet.py']

crop, flip, pack = _base_.train_pipeline
train_pipeline = [crop | dict(interpolation='bicubic'), flip, pack]
load, crop, pack = _base_.test_pipeline
test_pipeline = [load, crop | dict(interpolation='bicubic'), pack]
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    dataset=dict(type='rexdense.PublishedDataset', cache=None, pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=4,
    dataset=dict(
        type='rexdense.PublishedDataset', split='test', cache=None, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
