"""ImageNet, as its archives unpack, below --data-root: train/<synset>/* and val/<synset>/*.

If val has no class folders, a list val.txt beside it (a file name and a label from 0 per line)
replaces them. The labels count the synsets in alphabetical order. There are only crops and flips;
recipes add to them.
"""

_base_ = ['./classification_folder.py']

data_root = 'data/imagenet/'
size = 224
train_pipeline = [
    dict(type='rexdense.LoadRandomResizedCrop', size=size, interpolation='bilinear'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='rexdense.PackClassification'),
]
test_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='rexdense.ResizeCenterCrop', size=size, crop=0.875, interpolation='bilinear'),
    dict(type='rexdense.PackClassification'),
]
places = dict(data_root=data_root, cache='~/.cache/rexdense')
train_dataloader = dict(
    batch_size=64, num_workers=8, dataset=dict(**places, pipeline=train_pipeline)
)
val_dataloader = dict(batch_size=64, num_workers=8, dataset=dict(**places, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='rexdense.ClassificationMetric', per_class=False)
test_evaluator = val_evaluator
