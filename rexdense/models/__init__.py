"""Networks: importing this package registers them in scope ``rexdense``."""

from rexdense.models.backbone import Backbone
from rexdense.models.classifier import Classifier
from rexdense.models.creation import create_backbone, create_classifier
from rexdense.models.residual import RegNet, ResNeXt
from rexdense.models.rexnet import ReXNet, ReXNetLite
from rexdense.models.unet import MultiScaleUNetHead

__all__ = [
    'Backbone',
    'Classifier',
    'MultiScaleUNetHead',
    'ReXNet',
    'ReXNetLite',
    'RegNet',
    'ResNeXt',
    'create_backbone',
    'create_classifier',
]
