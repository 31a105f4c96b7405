"""Transforms of classification training that mmcv does not have, registered for its pipelines."""

from rexdense.datasets.transforms.crop import RandomResizedCrop, ResizeCenterCrop
from rexdense.datasets.transforms.packing import PackClassification

__all__ = ['PackClassification', 'RandomResizedCrop', 'ResizeCenterCrop']
