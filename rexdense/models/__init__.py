"""Networks: importing this package registers them in scope ``rexdense``."""

from rexdense.models.backbone import Backbone
from rexdense.models.classifier import Classifier, create_backbone, create_classifier
from rexdense.models.rexnet import ReXNet, ReXNetLite

__all__ = ['Backbone', 'Classifier', 'ReXNet', 'ReXNetLite', 'create_backbone', 'create_classifier']
