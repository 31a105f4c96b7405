"""Networks: importing this package registers them in scope ``rexdense``."""

from rexdense.models.backbone import Backbone
from rexdense.models.batch_augments import BatchMix
from rexdense.models.classifier import Classifier
from rexdense.models.creation import create_backbone, create_classifier
from rexdense.models.image_classifier import ImageClassifier
from rexdense.models.residual import RegNet, ResNeXt
from rexdense.models.rexnet import ReXNet, ReXNetLite
from rexdense.models.unet import MultiScaleDepthHead, MultiScaleUNetHead

__all__ = [
    'Backbone',
    'BatchMix',
    'Classifier',
    'ImageClassifier',
    'MultiScaleDepthHead',
    'MultiScaleUNetHead',
    'ReXNet',
    'ReXNetLite',
    'RegNet',
    'ResNeXt',
    'create_backbone',
    'create_classifier',
]
