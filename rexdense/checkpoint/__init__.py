"""Weights in: files read safely, recognised by content, renamed, checked and loaded."""

from rexdense.checkpoint.identification import identify
from rexdense.checkpoint.initializer import Pretrained
from rexdense.checkpoint.loading import load_weights
from rexdense.checkpoint.mmengine_loader import install_safe_loader
from rexdense.checkpoint.preprocessing import Preprocessing
from rexdense.checkpoint.reading import CheckpointFile, read_checkpoint
from rexdense.checkpoint.report import LoadReport

__all__ = [
    'CheckpointFile',
    'LoadReport',
    'Preprocessing',
    'Pretrained',
    'identify',
    'install_safe_loader',
    'load_weights',
    'read_checkpoint',
]
