"""Batch normalisation of the backbone that stays as the weights have it: statistics, scale and
shift."""

model = dict(backbone=dict(norm_cfg=dict(type='BN', requires_grad=False), norm_eval=True))
