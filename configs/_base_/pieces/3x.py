"""mmdet's 3x schedule: 36 epochs, the learning rate divided by 10 after 27 and 33.

mmdet counts them as 12 epochs of a data set that is repeated three times
(configs/common/ms_3x_coco.py). It is meant for multi-scale training: 1333x640-800 or 1200x640-800.
"""

train_cfg = dict(max_epochs=36)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', begin=0, end=36, by_epoch=True, milestones=[27, 33], gamma=0.1),
]
