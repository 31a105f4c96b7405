r"""U-Net over ReXNet-1.0 on ADE20K, for 4 GPUs x 4 crops of 512 x 512.

    torchrun --nproc-per-node 4 -m rexdense train \
        configs/unet/unet_rexnet-1.0_160k_ade20k.py --launcher pytorch

It starts from the ImageNet weights of clovaai/rexnet in timm's copy, which is downloaded once;
others: --pretrained NAME or FILE.

Not trained here. The schedule is mmseg's for this set.
"""

_base_ = [
    '../_base_/models/unet_rexnet-1.0.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/runtime_segmentation_by_iteration.py',
    '../_base_/schedules/sgd_poly_80k.py',
]

model = dict(decode_head=dict(num_classes=150))
auto_scale_lr = dict(base_batch_size=16)
max_iters = 160000
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 10)
(decay,) = _base_.param_scheduler
param_scheduler = [decay | dict(end=max_iters)]
