r"""ReXNet 1.0 fine-tuned on Food-101, 101 classes.

    rexdense train configs/classification/transfer/rexnet-1.0_food-101.py \
        --data-root DIR --pretrained clovaai

DIR is food-101.

Not trained here. The best top-1 that the ReXNet paper has on this set is 88.4, by
an index of its tables, which names no network.
"""

_base_ = ['../../_base_/recipes/fine_grained.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'), num_classes=101)
train_dataloader = dict(dataset=dict(layout='food-101'))
val_dataloader = dict(dataset=dict(layout='food-101'))
test_dataloader = val_dataloader
