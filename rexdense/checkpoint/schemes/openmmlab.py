"""Names of OpenMMLab: mmdet, mmseg and mmpretrain (``models/backbones/{regnet,resnext}.py``).

Both networks are subclasses of ResNet there and bear its names, which are torchvision's.
"""

import dataclasses

from rexdense.checkpoint.preprocessing import IMAGENET_BGR
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme
from rexdense.checkpoint.schemes.torchvision import RESNEXT

# mmpretrain's classifiers have the head beside the backbone.
NETWORK: FamilyNames = dataclasses.replace(RESNEXT, head={'head.fc': 'head.fc'})
# The RegNets are pycls's weights (mmdet configs/regnet).
REGNET = dataclasses.replace(NETWORK, preprocessing=IMAGENET_BGR, options={})

OPENMMLAB = Scheme(
    name='openmmlab',
    title='OpenMMLab',
    families={'regnet': REGNET, 'resnext': NETWORK},
    nested=True,
)
