r"""Faster R-CNN with ReXNet-1.0 on BCCD (blood cells, three classes) from random weights, on a CPU.

    rexdense train configs/rexnet/faster-rcnn_rexnet-1.0_fpn_bccd.py --data-root DIR

Expected on val after 20 epochs, 11 minutes on two cores: AP 0.544, AP50 0.876, AP75 0.626 (seed 0);
0.548, 0.880, 0.608 (seed 1). What made the difference, from random weights and 205 images:

- flips in all directions, because a smear has no up and no left: four views of each image;
- batch normalisation also in the FPN, but not inside squeeze-excitation, where the statistics of
  five values per channel are noise (rexdense.models.layers.normalisation);
- AdamW at 0.001 with a short warm-up and a cosine: AP 0.51 to 0.53 is reached after 8 epochs;
- EMA of the weights: validation no longer jumps between epochs.
"""

_base_ = ['./faster-rcnn_rexnet-1.0_fpn_custom_coco.py']

# Half the size of the photographs: the smallest cells, platelets, still have 20 pixels.
resize = dict(type='mmdet.Resize', scale=(320, 240), keep_ratio=True)
flip = dict(
    type='mmdet.RandomFlip',
    prob=[0.25, 0.25, 0.25],
    direction=['horizontal', 'vertical', 'diagonal'],
)
load, annotations, _, _, pack = _base_.train_pipeline
train_pipeline = [load, annotations, resize, flip, pack]
_, _, _, pack = _base_.test_pipeline
test_pipeline = [load, resize, annotations, pack]
data_root = 'data/bccd/'
model = dict(roi_head=dict(bbox_head=dict(num_classes=3)))
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = val_evaluator
