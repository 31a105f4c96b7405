"""Losses for labels and depth that ignore unlabelled and unmeasured pixels."""

from rexdense.models.losses.building import build_losses
from rexdense.models.losses.cross_entropy import CrossEntropyLoss
from rexdense.models.losses.focal import FocalLoss
from rexdense.models.losses.label_loss import LabelLoss
from rexdense.models.losses.lovasz import LovaszLoss
from rexdense.models.losses.regions import DiceLoss, TverskyLoss
from rexdense.models.losses.silog import SiLogLoss

__all__ = [
    'CrossEntropyLoss',
    'DiceLoss',
    'FocalLoss',
    'LabelLoss',
    'LovaszLoss',
    'SiLogLoss',
    'TverskyLoss',
    'build_losses',
]
