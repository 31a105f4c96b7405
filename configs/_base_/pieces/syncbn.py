"""Trained batch normalisation in the backbone, over the images of all GPUs. Frozen levels keep
their statistics. On a single device it is ordinary batch normalisation."""

model = dict(backbone=dict(norm_cfg=dict(type='SyncBN', requires_grad=True), norm_eval=False))
