"""The common part of the ImageNet recipes: data, classifier, and SGD with momentum.

A config that inherits a recipe sets model.backbone.
"""

_base_ = [
    '../models/classifier.py',
    '../datasets/imagenet.py',
    '../runtime_classification.py',
]

val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', momentum=0.9, nesterov=False))
