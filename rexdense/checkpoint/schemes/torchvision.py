"""Tensor names of torchvision (``models/regnet.py``, ``models/resnet.py``)."""

import dataclasses

from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme

PREPROCESSING = dataclasses.replace(IMAGENET_RGB, interpolation='bilinear')

REGNET = FamilyNames(
    stem={'stem.0': 'stem.conv', 'stem.1': 'stem.norm'},
    block='trunk_output.block{level}.block{level}-{position}'.format,
    parts={
        'proj.0': 'downsample.conv',
        'proj.1': 'downsample.norm',
        'f.a.0': 'conv1.conv',
        'f.a.1': 'conv1.norm',
        'f.b.0': 'conv2.conv',
        'f.b.1': 'conv2.norm',
        'f.se.fc1': 'squeeze_excitation.reduce',
        'f.se.fc2': 'squeeze_excitation.expand',
        'f.c.0': 'conv3.conv',
        'f.c.1': 'conv3.norm',
    },
    head={'fc': 'head.fc'},
    preprocessing=PREPROCESSING,
)

RESNEXT = FamilyNames(
    stem={'conv1': 'stem.conv', 'bn1': 'stem.norm'},
    block='layer{level}.{position}'.format,
    parts={
        'conv1': 'conv1.conv',
        'bn1': 'conv1.norm',
        'conv2': 'conv2.conv',
        'bn2': 'conv2.norm',
        'conv3': 'conv3.conv',
        'bn3': 'conv3.norm',
        'downsample.0': 'downsample.conv',
        'downsample.1': 'downsample.norm',
    },
    head={'fc': 'head.fc'},
    preprocessing=PREPROCESSING,
    options={'pool_padding': 'symmetric'},
)

TORCHVISION = Scheme(
    name='torchvision',
    title='torchvision',
    families={'regnet': REGNET, 'resnext': RESNEXT},
)
