"""A user's folder below --data-root: images/{train,val} and depth/{train,val}, paired by name.

Depth maps are 16-bit PNGs in millimetres or .npy files in metres, see rexdense.LoadDepth.
"""

data_root = 'data/custom/'
scale = (640, 480)
load = dict(type='rexdense.LoadImage')
load_depth = dict(type='rexdense.LoadDepth', units_per_metre=1000)
resize = dict(type='Resize', scale=scale, keep_ratio=True)
pack = dict(type='mmseg.PackSegInputs')
train_pipeline = [
    load,
    load_depth,
    resize,
    dict(type='RandomFlip', prob=0.5),
    pack,
]
# Depth is loaded after the resizing: metrics are computed at the size of the map.
test_pipeline = [load, resize, load_depth, pack]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    # Batch norm has no statistics for a last batch of one image.
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='rexdense.DepthDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/train', depth_map_path='depth/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='rexdense.DepthDataset',
        data_root=data_root,
        data_prefix=dict(img_path='images/val', depth_map_path='depth/val'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='rexdense.DepthMetric')
test_evaluator = val_evaluator
