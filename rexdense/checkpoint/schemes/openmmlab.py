"""Tensor names of OpenMMLab: mmdet, mmseg, mmpretrain (``models/backbones/{regnet,resnext}.py``).

Both networks are subclasses of ResNet there, with the same names as in torchvision.
"""

import dataclasses

from rexdense.checkpoint.preprocessing import IMAGENET_BGR
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme
from rexdense.checkpoint.schemes.torchvision import RESNEXT

# mmpretrain's classifiers have the head beside the backbone.
NETWORK: FamilyNames = dataclasses.replace(RESNEXT, head={'head.fc': 'head.fc'})
# The RegNets have pycls's weights (mmdet configs/regnet).
REGNET = dataclasses.replace(NETWORK, preprocessing=IMAGENET_BGR, options={})

OPENMMLAB = Scheme(
    name='openmmlab',
    title='OpenMMLab',
    families={'regnet': REGNET, 'resnext': NETWORK},
    nested=True,
)
