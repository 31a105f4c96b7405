"""Networks. Importing this package registers them in mmengine's scope ``rexdense``."""

from rexdense.models.backbones.backbone import Backbone
from rexdense.models.backbones.residual import RegNet, ResNeXt
from rexdense.models.backbones.rexnet import ReXNet, ReXNetLite
from rexdense.models.batch_augments import BatchMix
from rexdense.models.classifier import Classifier
from rexdense.models.creation import create_backbone, create_classifier
from rexdense.models.heads.depth import MultiScaleDepthHead
from rexdense.models.heads.segmentation import MultiScaleUNetHead

__all__ = [
    'Backbone',
    'BatchMix',
    'Classifier',
    'MultiScaleDepthHead',
    'MultiScaleUNetHead',
    'ReXNet',
    'ReXNetLite',
    'RegNet',
    'ResNeXt',
    'create_backbone',
    'create_classifier',
]
