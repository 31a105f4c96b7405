"""A classifier over any backbone, with the normalisation of ImageNet recipes.

A config that inherits this sets model.backbone, and model.num_classes if it differs from ImageNet's
1000.
"""

model = dict(
    type='rexdense.ImageClassifier',
    data_preprocessor=dict(
        type='mmengine.ImgDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    num_classes=1000,
    label_smoothing=0.1,
)
