"""Pascal VOC 2012 (21 classes) in data/VOCdevkit/VOC2012/, its own training split."""

_base_ = ['./segmentation_512.py']

dataset = dict(
    type='mmseg.PascalVOCDataset',
    data_root='data/VOCdevkit/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
train_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/train.txt', **dataset))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/Segmentation/val.txt', **dataset))
test_dataloader = val_dataloader
