"""Fine-tuning on a fine-grained data set, from --pretrained weights.

The ReXNet paper transfers ReXNet, ResNet-50 and EfficientNet-B0 to four data sets and publishes
neither its settings nor its code. These are common settings: 100 epochs of SGD at 0.01 for 64
images with Nesterov's momentum, a short warm-up, a cosine to 0, weight decay 1e-4 except on norms
and biases, label smoothing 0.1, crops and flips.
"""

_base_ = [
    '../models/classifier.py',
    '../datasets/fine_grained.py',
    '../runtime_classification.py',
]

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=2,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=98,
        eta_min=0.0,
        by_epoch=True,
        begin=2,
        end=100,
        convert_to_iter_based=True,
    ),
]
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(enable=True, base_batch_size=64)
