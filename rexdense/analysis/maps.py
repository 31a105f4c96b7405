"""Feature maps of an image, and class activation maps."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rexdense.arch import FeatureLevel
from rexdense.dependencies import needed_packages
from rexdense.errors import InvalidArgument
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.classifier import Classifier


class ClassActivation(NamedTuple):
    """The class that a classifier predicts for an image, with its activation map.

    Attributes:
        label: The explained class.
        score: Its softmax score.
        heat: (h, w), 0 or more, at the resolution of the last map.
    """

    label: int
    score: float
    heat: np.ndarray


def level_maps(backbone: Backbone, image: Tensor) -> list[tuple[FeatureLevel, np.ndarray]]:
    """Return the levels that a backbone returns, with their maps (channels, h, w), for an image (1,
    3, H, W)."""
    training = backbone.training
    with torch.no_grad():
        maps = backbone.eval()(image)
    backbone.train(training)
    return [
        (level, map_[0].float().cpu().numpy())
        for level, map_ in zip(backbone.out_levels, maps, strict=True)
    ]


def strongest_channels(maps: np.ndarray, count: int) -> list[int]:
    """Return the channels of a map (channels, h, w) that vary most over the image, the most
    variable first."""
    return np.argsort(-maps.var((1, 2)), kind='stable')[:count].tolist()


def class_activation(
    classifier: Classifier, image: Tensor, label: int | None = None
) -> ClassActivation:
    """Return Grad-CAM (Selvaraju et al. 2017) of the map that the classifier pools.

    It is computed by captum, which needs only torch; most such packages import torchvision.

    Args:
        image: (1, 3, H, W), normalised.
        label: The class; None takes the one with the highest score.

    Raises:
        MissingDependency: captum is not installed.
        InvalidArgument: there is no such class.
    """
    with needed_packages('class activation maps'):
        from captum.attr import LayerGradCam
    if label is not None and not 0 <= label < classifier.num_classes:
        raise InvalidArgument(
            f'class {label}: the classifier has {classifier.num_classes} classes, 0 to '
            f'{classifier.num_classes - 1}'
        )
    training = classifier.training
    classifier.eval()
    try:
        with torch.no_grad():
            scores = classifier(image).softmax(1)[0]
        label = int(scores.argmax()) if label is None else label
        # captum needs a module that returns the map. It hooks this module, and its output is
        # pooled.
        network = _Pooled(classifier)
        heat = LayerGradCam(network, network.pooled).attribute(
            image, target=label, relu_attributions=True
        )
    finally:
        classifier.train(training)
    return ClassActivation(label, float(scores[label]), heat[0, 0].detach().cpu().numpy())


class _Pooled(nn.Module):
    """A classifier with a module whose output is the map before pooling."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.pooled = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier.forward_head(self.pooled(self.classifier.forward_features(x)))
