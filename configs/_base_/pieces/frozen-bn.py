"""Frozen batch normalisation in the backbone: statistics, scale and shift of the weights are
kept."""

model = dict(backbone=dict(norm_cfg=dict(type='BN', requires_grad=False), norm_eval=True))
