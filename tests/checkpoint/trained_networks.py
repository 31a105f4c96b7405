"""A stand-in for a detector, and a ReXNet's weights in every project's names."""

import torch
from mmengine.model import BaseModule
from torch import nn

import rexdense
from rexdense.arch import architecture
from rexdense.checkpoint.names.renaming import from_native
from rexdense.checkpoint.schemes import SCHEMES


class Detector(BaseModule):
    """Like an mmdet detector: a backbone, a newly initialised neck, a head for classes."""

    def __init__(self, name='rexnet_1.0', classes=3, init_cfg=None, backbone_init=None):
        super().__init__(init_cfg)
        self.backbone = rexdense.create_backbone(name, init_cfg=backbone_init)
        self.neck = nn.Conv2d(8, 8, 1)
        self.bbox_head = nn.Linear(8, classes)


def native(state):
    return {key.removeprefix('backbone.'): value for key, value in state.items()}


def named_by(scheme, state):
    return from_native(native(state), SCHEMES[scheme], architecture('rexnet_1.0'))


def assert_equal(module, expected):
    held = module.state_dict()
    for key, value in expected.items():
        assert torch.equal(held[key], value), key
