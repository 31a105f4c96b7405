r"""Faster R-CNN with ReXNet-1.0 on BCCD (blood cells, three classes) from random weights, on a CPU.

python tools/train.py configs/rexnet/faster-rcnn_rexnet-1.0_fpn_bccd.py --data-root DIR
"""

_base_ = ['./faster-rcnn_rexnet-1.0_fpn_custom_coco.py']

# Half the size of the photographs: the smallest cells, platelets, still have 20 pixels.
scale = (320, 240)
max_epochs = 20
train_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    # A smear has no up and no left: four views of each of the 205 images.
    dict(
        type='mmdet.RandomFlip',
        prob=[0.25, 0.25, 0.25],
        direction=['horizontal', 'vertical', 'diagonal'],
    ),
    dict(type='mmdet.PackDetInputs'),
]
test_pipeline = [
    dict(type='rexdense.LoadImage'),
    dict(type='mmdet.Resize', scale=scale, keep_ratio=True),
    dict(type='mmdet.LoadAnnotations', with_bbox=True),
    dict(
        type='mmdet.PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=3)))
data_root = 'data/bccd/'
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        eta_min=1e-5,
        by_epoch=True,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
