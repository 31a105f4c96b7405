r"""The demo of make unet-demo: a U-Net over ReXNet-1.0 on the drawn Shapes set, minutes on a CPU.

    make unet-demo

Expected: mIoU of 0.70 to 0.75 on Shapes val (two runs; no seed is set), in 4 to 9 minutes on two
cores, by processor.
"""

_base_ = ['./unet_rexnet-1.0_custom.py']

scale = (128, 128)
# The shapes are drawn at any angle, so every rotation is another valid picture.
turn = dict(type='mmseg.RandomRotate', prob=0.75, degree=180, pad_val=0, seg_pad_val=255)
load, annotations, _, _, flip, _, pack = _base_.train_pipeline
resize = dict(type='Resize', scale=scale)
train_pipeline = [load, annotations, resize, flip, turn, pack]
test_pipeline = [load, resize, annotations, pack]
data_root = 'data/shapes/'
model = dict(
    # For images of 128 pixels c5 is 4 x 4: the network ends at c4.
    backbone=dict(out_indices=(1, 2, 3)),
    decode_head=dict(
        num_classes=7,
        out_indices=(1, 2, 3),
        block='double_conv',
        skip='concat',
        # Outputs at a quarter of the size suffice, without the slowest layers of the decoder. The
        # coarse outputs learn the kind of an object first, so they count twice.
        output_strides=(4, 8, 16),
        scale_weights=(1, 2, 2),
        # Five sixths of the pixels are background, which is learnt soon.
        loss_decode=dict(class_weight=[0.4, 1, 1, 1, 1, 1, 1]),
    ),
)
train_dataloader = dict(batch_size=4, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
max_epochs = 16
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, cosine | dict(T_max=max_epochs, end=max_epochs)]
optim_wrapper = dict(optimizer=dict(lr=0.003))
auto_scale_lr = dict(base_batch_size=4)
default_hooks = dict(logger=dict(interval=20))
