"""The Eigen split of KITTI in data/kitti/: the raw drives in raw/, the annotated depth maps of its
depth benchmark in depth/ (.png, 256 per metre), eight images per GPU.

The lists kitti_eigen_{train,test}_files_with_gt.txt are those of BTS (Lee et al. 2019; 23,158 and
697 lines, some of the second without a depth map). Each line has an image below raw/, a map below
depth/ and a focal length.

Crops of 704 x 352, rotation by up to 1 degree and flips are those of BTS and AdaBins (Bhat et al.
2021). Unlike theirs, crops come from the whole frame, because the decoder accepts frames of any
size. Metrics are computed up to 80 m in the crop of Garg et al. 2016.
"""

_base_ = ['./depth_folder.py']

data_root = 'data/kitti/'
folders = dict(img_path='raw', depth_map_path='depth')
load = dict(type='rexdense.LoadImage')
load_depth = dict(type='rexdense.LoadDepth', units_per_metre=256)
train_pipeline = [
    load,
    load_depth,
    dict(type='mmseg.RandomRotate', prob=1.0, degree=1.0, pad_val=0, seg_pad_val=0),
    dict(type='mmseg.RandomCrop', crop_size=(352, 704)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmseg.PhotoMetricDistortion'),
    dict(type='mmseg.PackSegInputs'),
]
test_pipeline = [load, load_depth, dict(type='mmseg.PackSegInputs')]
train_dataloader = dict(
    num_workers=8,
    dataset=dict(
        data_root=data_root,
        ann_file='kitti_eigen_train_files_with_gt.txt',
        data_prefix=folders,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=4,
    dataset=dict(
        data_root=data_root,
        ann_file='kitti_eigen_test_files_with_gt.txt',
        data_prefix=folders,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(max_depth=80.0, crop='garg')
test_evaluator = val_evaluator
