"""Cityscapes (19 classes) in data/cityscapes/, crops of 512 x 1024, two per GPU."""

_base_ = ['./segmentation_512.py']

scale = (2048, 1024)
load, annotations, _, _, flip, distort, pack = _base_.train_pipeline
train_pipeline = [
    load,
    annotations,
    dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(512, 1024), cat_max_ratio=0.75),
    flip,
    distort,
    pack,
]
test_pipeline = [load, dict(type='Resize', scale=scale, keep_ratio=True), annotations, pack]
dataset = dict(type='mmseg.CityscapesDataset', data_root='data/cityscapes')
train = dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train')
val = dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val')
train_dataloader = dict(
    batch_size=2, dataset=dict(data_prefix=train, pipeline=train_pipeline, **dataset)
)
val_dataloader = dict(dataset=dict(data_prefix=val, pipeline=test_pipeline, **dataset))
test_dataloader = val_dataloader
