"""COCO 2017 instance segmentation in data/coco/ with mmdet's settings: 1333 x 800, two images per
GPU."""

_base_ = ['mmdet::_base_/datasets/coco_instance.py']

load = dict(type='rexdense.LoadImage')
dataset = dict(type='rexdense.CocoDataset')
train_pipeline = [load, *_base_.train_pipeline[1:]]
test_pipeline = [load, *_base_.test_pipeline[1:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(type='rexdense.CocoMetric')
test_evaluator = val_evaluator
