"""Weight files: safe reading, recognition by content, renaming, checks and writing."""

from rexdense.checkpoint.conversion import convert_checkpoint
from rexdense.checkpoint.export import BACKBONE_FORMATS, export_backbone
from rexdense.checkpoint.formats.reading import CheckpointFile, read_checkpoint
from rexdense.checkpoint.formats.writing import write_checkpoint
from rexdense.checkpoint.initializer import Pretrained
from rexdense.checkpoint.loading import load_weights
from rexdense.checkpoint.mmengine_loader import install_safe_loader
from rexdense.checkpoint.names.identification import identify
from rexdense.checkpoint.preprocessing import Preprocessing
from rexdense.checkpoint.report import LoadReport
from rexdense.checkpoint.schemes import SCHEMES, published_preprocessing

__all__ = [
    'BACKBONE_FORMATS',
    'SCHEMES',
    'CheckpointFile',
    'LoadReport',
    'Preprocessing',
    'Pretrained',
    'convert_checkpoint',
    'export_backbone',
    'identify',
    'install_safe_loader',
    'load_weights',
    'published_preprocessing',
    'read_checkpoint',
    'write_checkpoint',
]
