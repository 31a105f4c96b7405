"""A user's folder in COCO form with masks: polygons, or run lengths of either kind."""

_base_ = ['./coco_folder.py']

load, annotations, *augmented = _base_.train_pipeline
train_pipeline = [load, annotations | dict(with_mask=True), *augmented]
load, resize, annotations, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations | dict(with_mask=True), pack]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(metric=['bbox', 'segm'])
test_evaluator = val_evaluator
