"""MindCV's ReXNet x15 and x20 (configs/rexnet): like x10, with 30 epochs of warm-up and a drop path
of 0.1."""

_base_ = ['./mindcv_rexnet.py']

warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up | dict(end=30), cosine | dict(begin=30, T_max=370)]
model = dict(backbone=dict(drop_path_rate=0.1))
