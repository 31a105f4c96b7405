"""Prediction with a trained model: images and videos in, typed results out."""

from rexdense.inference.predictions import (
    DepthMap,
    Detections,
    ImageClass,
    LabelMap,
    Prediction,
)
from rexdense.inference.predictor import Predictor
from rexdense.inference.progress import Progress

__all__ = [
    'DepthMap',
    'Detections',
    'ImageClass',
    'LabelMap',
    'Prediction',
    'Predictor',
    'Progress',
]
