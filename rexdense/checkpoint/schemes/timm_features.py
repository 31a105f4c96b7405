"""Tensor names of timm's feature extractors (``features_only=True``, ``models/_features.py``).

They split the list of a ReXNet's blocks and put an underscore into each block's name. RegNet and
ResNeXt have timm's names. segmentation_models.pytorch has the same extractors in
``encoder.model.`` (its ``tu-`` encoders).
"""

import dataclasses

from rexdense.arch import Architecture
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme
from rexdense.checkpoint.schemes.timm import REXNET, TIMM, rexnet_head


def head(architecture: Architecture) -> dict[str, str]:
    """Return the layers after the last block, which only an extractor with a head would have."""
    layers = rexnet_head(architecture)
    return {theirs.replace('features.', 'features_'): ours for theirs, ours in layers.items()}


FEATURES: FamilyNames = dataclasses.replace(REXNET, block='features_{index}'.format, head=head)

TIMM_FEATURES = Scheme(
    name='timm_features',
    title='timm (features_only)',
    families={**TIMM.families, 'rexnet': FEATURES},
)
