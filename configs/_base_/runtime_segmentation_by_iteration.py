"""The common part of segmentation runs that count iterations."""

_base_ = ['./runtime_segmentation.py']

default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=8000),
)
log_processor = dict(by_epoch=False)
