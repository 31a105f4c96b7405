"""Save feature extractors of timm and encoders of segmentation_models.pytorch, with their outputs.

Run it with the interpreter of the peers:

    python peer_extractors.py FOLDER
"""

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

TIMM = ('rexnet_100', 'rexnetr_100', 'regnetx_002', 'regnety_002', 'resnext50_32x4d')
SMP = ('tu-rexnet_100', 'tu-regnety_002', 'resnext50_32x4d')
FOREIGN = (
    'seresnext26t_32x4d',
    'skresnext50_32x4d',
    'resnext50d_32x4d',
    'ecaresnext26t_32x4d',
    'regnetv_040',
    'regnetz_005',
    'regnetz_b16',
    'resnet18',
    'resnet26d',
    'resnet50',
    'legacy_seresnext26_32x4d',
    'resnetv2_50',
    'efficientnet_b0',
    'vgg11',
    'hrnet_w18_small',
)


def drawn(model: nn.Module) -> nn.Module:
    """Give every norm its own statistics and scale."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.0)
    return model.eval()


def main():
    if importlib.util.find_spec('torchvision_shim'):
        importlib.import_module('torchvision_shim')
    timm = importlib.import_module('timm')
    smp = importlib.import_module('segmentation_models_pytorch')
    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    x = torch.from_numpy(np.load(folder / 'image.npy'))
    with torch.no_grad():
        for name in TIMM:
            for kind in ('list', 'getter', 'hook'):
                model = drawn(timm.create_model(name, features_only=True, feature_cls=kind))
                torch.save(model.state_dict(), folder / f'{name}-{kind}.pth')
                np.save(folder / f'{name}-{kind}.npy', model(x)[-1].numpy())
        for name in SMP:
            model = drawn(smp.Unet(name, encoder_weights=None, classes=2))
            torch.save(model.state_dict(), folder / f'smp-{name}.pth')
            np.save(folder / f'smp-{name}.npy', model.encoder(x)[-1].numpy())
    for name in FOREIGN:
        torch.save(timm.create_model(name).state_dict(), folder / f'foreign-{name}.pth')


if __name__ == '__main__':
    main()
