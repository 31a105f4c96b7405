r"""U-Net over ReXNet-1.0 on CamVid (11 classes of road scenes) from random weights, on a CPU.

    rexdense train configs/unet/unet_rexnet-1.0_camvid.py --data-root DIR

Expected: mIoU 0.568 on val after 24 epochs (seed 0), which take 20 to 27 minutes on one core. After
8 epochs it is 0.45. It is measured at 480 x 360. On test it is 0.452, measured once at the end:

    rexdense test configs/unet/unet_rexnet-1.0_camvid.py CHECKPOINT --data-root DIR \
        --split test

docs/segmentation.md lists the classes and what did not help.
"""

_base_ = ['./unet_rexnet-1.0_custom.py']

# Two thirds of the frames' 480 x 360.
scale = (320, 240)
load, annotations, _, _, flip, distort, pack = _base_.train_pipeline
train_pipeline = [
    load,
    annotations,
    dict(type='RandomResize', scale=scale, ratio_range=(0.75, 1.75), keep_ratio=True),
    dict(type='mmseg.RandomCrop', crop_size=(192, 256), cat_max_ratio=0.75),
    flip,
    distort,
    pack,
]
test_pipeline = [load, dict(type='Resize', scale=scale, keep_ratio=True), annotations, pack]
data_root = 'data/camvid/'
model = dict(decode_head=dict(num_classes=11))
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
optim_wrapper = dict(optimizer=dict(lr=0.002))
