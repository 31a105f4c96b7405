"""NYU Depth v2 in data/nyu/, in the layout of mmseg's guide: images/{train,test} (.jpg) and
annotations/{train,test} (.png, millimetres), 640 x 480; eight images per GPU.

Crops of 544 x 416, rotation by up to 2.5 degrees and flips are those of BTS (Lee et al. 2019,
``arguments_train_nyu.txt``) and AdaBins (Bhat et al. 2021, ``args_train_nyu.txt``). Metrics are
computed up to 10 m in the crop of Eigen et al. 2014.
"""

_base_ = ['./depth_folder.py']

data_root = 'data/nyu/'
crop_size = (416, 544)
load = dict(type='rexdense.LoadImage')
load_depth = dict(type='rexdense.LoadDepth', units_per_metre=1000)
train_pipeline = [
    load,
    load_depth,
    dict(type='mmseg.RandomRotate', prob=1.0, degree=2.5, pad_val=0, seg_pad_val=0),
    dict(type='mmseg.RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [load, load_depth, dict(type='mmseg.PackSegInputs')]
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=4,
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(max_depth=10.0, crop='nyu')
test_evaluator = val_evaluator
