"""COCO-Stuff 164k (171 classes) in data/coco_stuff164k/, in the layout of mmseg's documentation."""

_base_ = ['./segmentation_512.py']

dataset = dict(type='mmseg.COCOStuffDataset', data_root='data/coco_stuff164k')
train = dict(img_path='images/train2017', seg_map_path='annotations/train2017')
val = dict(img_path='images/val2017', seg_map_path='annotations/val2017')
train_dataloader = dict(dataset=dict(data_prefix=train, **dataset))
val_dataloader = dict(dataset=dict(data_prefix=val, **dataset))
test_dataloader = val_dataloader
