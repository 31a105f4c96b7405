"""segmentation_models.pytorch's Unet over timm's rexnet_100 with the recipe of
configs/unet/unet_rexnet-1.0_camvid.py. It needs that package.

    python -m rexdense train benchmarks/smp_unet_camvid.py --data-root DIR --seed 0
"""

_base_ = ['../configs/unet/unet_rexnet-1.0_camvid.py']

custom_imports = dict(imports=['benchmarks.smp_unet'], allow_failed_imports=False)
head = dict(type='rexdense.SmpUnetHead', loss_decode=_base_.model.decode_head.loss_decode)
model = dict(
    # The decoder accepts only multiples of 32.
    data_preprocessor=dict(test_cfg=dict(size_divisor=32)),
    backbone=dict(_delete_=True, type='rexdense.SmpUnet', encoder='tu-rexnet_100'),
    decode_head=dict(_delete_=True, num_classes=11, **head),
)
