r"""ReXNet 1.0 fine-tuned on Stanford Cars, 196 classes.

    rexdense train configs/classification/transfer/rexnet-1.0_stanford-cars.py \
        --data-root DIR --pretrained clovaai

DIR is the folder of cars_train, cars_test and devkit.

Not trained here. The best top-1 that the ReXNet paper has on this set is 91.5, by
an index of its tables, which names no network.
"""

_base_ = ['../../_base_/recipes/fine_grained.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'), num_classes=196)
train_dataloader = dict(dataset=dict(layout='stanford-cars'))
val_dataloader = dict(dataset=dict(layout='stanford-cars'))
test_dataloader = val_dataloader
