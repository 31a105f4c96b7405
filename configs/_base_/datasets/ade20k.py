"""ADE20K (150 classes) in data/ade/ADEChallengeData2016/, in the layout of mmseg's
documentation."""

_base_ = ['./segmentation_512.py']

dataset = dict(type='mmseg.ADE20KDataset', data_root='data/ade/ADEChallengeData2016')
train = dict(img_path='images/training', seg_map_path='annotations/training')
val = dict(img_path='images/validation', seg_map_path='annotations/validation')
train_dataloader = dict(dataset=dict(data_prefix=train, **dataset))
val_dataloader = dict(dataset=dict(data_prefix=val, **dataset))
test_dataloader = val_dataloader
