r"""ReXNet-1.0 as a classifier on a folder of your own.

    rexdense train configs/classification/rexnet-1.0_custom.py --data-root DIR

DIR has train/<class>/* and val/<class>/*. The folders name the classes, in alphabetical order,
unless DIR/classes.txt gives another order. With published weights (--pretrained clovaai), a few
hundred images are enough.

Not trained here: the result depends on the data.
"""

_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/classification_folder.py',
    '../_base_/runtime_classification.py',
    '../_base_/schedules/adamw_small.py',
]

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'))
train_cfg = dict(val_interval=1)
auto_scale_lr = dict(base_batch_size=32)
default_hooks = dict(logger=dict(interval=10))
