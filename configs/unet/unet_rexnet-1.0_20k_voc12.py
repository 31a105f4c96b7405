r"""U-Net over ReXNet-1.0 on Pascal VOC 2012, for 4 GPUs x 4 crops of 512 x 512.

    torchrun --nproc-per-node 4 tools/train.py \
        configs/unet/unet_rexnet-1.0_20k_voc12.py --launcher pytorch

It starts from the ImageNet weights of clovaai/rexnet, in weights/rexnetv1_1.0.pth; another place:
--cfg-options model.backbone.init_cfg.checkpoint=FILE.

Not trained here. The schedule is mmseg's for this set.
"""

_base_ = [
    '../_base_/models/unet.py',
    '../_base_/datasets/pascal_voc.py',
    '../_base_/runtime_segmentation_by_iteration.py',
    '../_base_/schedules/sgd_poly_80k.py',
]

arch = 'rexnet_1.0'
model = dict(
    backbone=dict(
        type='rexdense.ReXNet',
        arch=arch,
        out_indices=(0, 1, 2, 3, 4),
        init_cfg=dict(type='rexdense.Pretrained', checkpoint='weights/rexnetv1_1.0.pth'),
    ),
    decode_head=dict(arch=arch, num_classes=21),
)
auto_scale_lr = dict(base_batch_size=16)
max_iters = 20000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
param_scheduler = [
    dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=max_iters, by_epoch=False)
]
