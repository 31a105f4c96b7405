"""Load weights strictly into networks of timm and torchvision, and save their outputs.

Run it with the interpreter of the peers:

    python peer_networks.py JOBS.json

Each job has a ``library``, its ``network``, a file of ``weights``, an ``image`` (.npy) and a file
for the ``outputs`` (.npz): the logits of a ``classifier``, or the levels c1 to c5 of a backbone.
"""

import importlib.util
import json
import sys

import numpy as np
import torch
from safetensors.torch import load_file

LEVELS = ('c1', 'c2', 'c3', 'c4', 'c5')
TORCHVISION_NODES = {
    'regnet': ('stem', *(f'trunk_output.block{index}' for index in range(1, 5))),
    'resnext': ('relu', *(f'layer{index}' for index in range(1, 5))),
}


def read(path):
    if path.endswith('.safetensors'):
        return load_file(path)
    return torch.load(path, weights_only=True)


def timm_outputs(job, state, image):
    timm = importlib.import_module('timm')
    if job['classifier']:
        model = timm.create_model(job['network']).eval()
        model.load_state_dict(state, strict=True)
        return {'logits': model(image)}
    model = timm.create_model(job['network'], features_only=True, feature_cls='getter').eval()
    # The feature getter has removed the layers after the last level.
    model.model.load_state_dict(state, strict=True)
    return dict(zip(LEVELS, model(image), strict=True))


def torchvision_outputs(job, state, image):
    models = importlib.import_module('torchvision.models')
    model = models.get_model(job['network']).eval()
    if job['classifier']:
        model.load_state_dict(state, strict=True)
        return {'logits': model(image)}
    model.fc = torch.nn.Identity()
    model.load_state_dict(state, strict=True)
    nodes = next(nodes for kind, nodes in TORCHVISION_NODES.items() if kind in job['network'])
    extraction = importlib.import_module('torchvision.models.feature_extraction')
    extractor = extraction.create_feature_extractor(model, dict(zip(nodes, LEVELS, strict=True)))
    return extractor(image)


def main():
    # Only for torchvision without compiled operators.
    if importlib.util.find_spec('torchvision_shim'):
        importlib.import_module('torchvision_shim')
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    for job in jobs:
        run = {'timm': timm_outputs, 'torchvision': torchvision_outputs}[job['library']]
        with torch.no_grad():
            outputs = run(job, read(job['weights']), torch.from_numpy(np.load(job['image'])))
        np.savez(job['outputs'], **{name: value.numpy() for name, value in outputs.items()})


if __name__ == '__main__':
    main()
