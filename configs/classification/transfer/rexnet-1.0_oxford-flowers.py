r"""ReXNet 1.0 fine-tuned on Oxford 102 Flowers, 102 classes.

    rexdense train configs/classification/transfer/rexnet-1.0_oxford-flowers.py \
        --data-root DIR --pretrained clovaai

DIR is the folder of jpg, imagelabels.mat and setid.mat.

Not trained here. The best top-1 that the ReXNet paper has on this set is 97.8, by
an index of its tables, which names no network.
"""

_base_ = ['../../_base_/recipes/fine_grained.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'), num_classes=102)
train_dataloader = dict(dataset=dict(layout='oxford-flowers'))
val_dataloader = dict(dataset=dict(layout='oxford-flowers'))
test_dataloader = val_dataloader
