"""Transforms for training classifiers that mmcv lacks, registered for its pipelines."""

from rexdense.datasets.transforms.crop import RandomResizedCrop, ResizeCenterCrop
from rexdense.datasets.transforms.load_crop import LoadRandomResizedCrop
from rexdense.datasets.transforms.noise import ColorJitter, Lighting, RandomErasing
from rexdense.datasets.transforms.packing import PackClassification
from rexdense.datasets.transforms.rand_augment import RandAugment

__all__ = [
    'ColorJitter',
    'Lighting',
    'LoadRandomResizedCrop',
    'PackClassification',
    'RandAugment',
    'RandomErasing',
    'RandomResizedCrop',
    'ResizeCenterCrop',
]
