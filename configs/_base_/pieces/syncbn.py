"""Batch normalisation of the backbone that learns, over the images of all GPUs; levels that are
frozen keep their statistics. On a single device it is ordinary batch normalisation."""

model = dict(backbone=dict(norm_cfg=dict(type='SyncBN', requires_grad=True), norm_eval=False))
