r"""ReXNet 1.0 fine-tuned on FGVC-Aircraft, 100 classes.

    rexdense train configs/classification/transfer/rexnet-1.0_fgvc-aircraft.py \
        --data-root DIR --pretrained clovaai

DIR is fgvc-aircraft-2013b.

Not trained here. No figure of the ReXNet paper for this data set is known.
"""

_base_ = ['../../_base_/recipes/fine_grained.py']

model = dict(backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'), num_classes=100)
train_dataloader = dict(dataset=dict(layout='fgvc-aircraft'))
val_dataloader = dict(dataset=dict(layout='fgvc-aircraft'))
test_dataloader = val_dataloader
