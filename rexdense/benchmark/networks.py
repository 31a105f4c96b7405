"""The networks of a benchmark, from rexdense and other packages, built in their own interpreters.

Only the package itself and its dependencies are imported.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rexdense.errors import InvalidArgument

ALL = (0, 1, 2, 3, 4)
CLASSES = 11
PEERS = {
    'backbone': ('timm', 'torchvision', 'onnxruntime', 'openvino'),
    'train-step': ('timm', 'torchvision'),
    'segmentor': ('smp',),
    'detector': ('mmdet', 'timm', 'onnxruntime', 'openvino'),
    'model-step': ('mmdet', 'timm'),
}
"""The packages that each kind of benchmark can compare with rexdense."""


def build_network(task: dict[str, Any]) -> nn.Module | Callable[[Tensor], Any]:
    """Return the network of a task, in evaluation mode, or a function of images.

    Args:
        task: ``framework`` is 'rexdense' or one of :data:`PEERS`; ``name`` is rexdense's name of
            the network; ``kind`` is the benchmark's. The other entries are the form, see
            :func:`rexdense.benchmark.contestants.contestants_of`.

    Raises:
        ImportError: the package is not installed.
        InvalidArgument: the package does not have the network.
    """
    return _BUILDERS[task['framework']](task)


def _rexdense(task: dict[str, Any]) -> nn.Module:
    from rexdense.deploy import optimize
    from rexdense.models import create_backbone
    from rexdense.models.unet import create_unet

    recompute = task.get('recompute')
    if task['kind'] == 'segmentor':
        network = create_unet(task['name'], CLASSES, recompute=recompute)
    else:
        network = create_backbone(task['name'], out_indices=ALL, recompute=recompute)
    network.eval()
    if not task.get('optimized'):
        return _laid_out(network, task)
    dtype = None if task['dtype'] == 'float32' else task['dtype']
    return optimize(network, dtype, bool(task.get('compiled')))


def _laid_out(network: nn.Module, task: dict[str, Any]) -> nn.Module:
    """Return a network in the requested memory layout and dtype, compiled if requested."""
    network = network.eval().to(getattr(torch, task['dtype']))
    if task.get('channels_last'):
        network = network.to(memory_format=torch.channels_last)
    if task.get('compiled'):
        network.requires_grad_(False)
        network.compile(options=dict(freezing=True))
    return network


def timm_name(name: str) -> str:
    """Return timm's name of a network.

    Raises:
        InvalidArgument: timm does not have it.

    Example:
        >>> timm_name('rexnet_1.0'), timm_name('regnety_800mf'), timm_name('regnetx_3.2gf')
        ('rexnet_100', 'regnety_008', 'regnetx_032')
    """
    width = re.fullmatch(r'(rexnetr?)_(\d\.\d)', name)
    if width:
        return f'{width[1]}_{round(float(width[2]) * 100)}'
    flops = re.fullmatch(r'(regnet[xy])_([\d.]+)(mf|gf)', name)
    if flops:
        hundreds = float(flops[2]) * (10 if flops[3] == 'gf' else 0.01)
        return f'{flops[1]}_{round(hundreds):03d}'
    if name.startswith('resnext'):
        return name
    raise InvalidArgument(f'timm has no {name}: leave --against timm out')


def _timm(task: dict[str, Any]) -> nn.Module:
    timm = importlib.import_module('timm')
    return _laid_out(timm.create_model(timm_name(task['name']), features_only=True), task)


def _torchvision(task: dict[str, Any]) -> nn.Module:
    models = importlib.import_module('torchvision.models')
    extraction = importlib.import_module('torchvision.models.feature_extraction')
    # regnetx_3.2gf is called regnet_x_3_2gf there.
    name = re.sub(r'^regnet([xy])_', r'regnet_\1_', task['name']).replace('.', '_')
    if name not in models.list_models():
        raise InvalidArgument(f'torchvision has no {task["name"]}: leave --against torchvision out')
    nodes = ['relu', *(f'layer{number}' for number in range(1, 5))]
    if name.startswith('regnet'):
        nodes = ['stem', *(f'trunk_output.block{number}' for number in range(1, 5))]
    return _laid_out(extraction.create_feature_extractor(models.get_model(name), nodes), task)


def _smp(task: dict[str, Any]) -> nn.Module:
    smp = importlib.import_module('segmentation_models_pytorch')
    # rexdense names a U-Net by its backbone.
    backbone = re.sub(r'^unet_|_wide$', '', task['name'])
    encoder = f'tu-{timm_name(backbone)}'
    return _laid_out(smp.Unet(encoder, encoder_weights=None, classes=CLASSES), task)


def _onnxruntime(task: dict[str, Any]) -> Callable[[Tensor], Any]:
    runtime = importlib.import_module('onnxruntime')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = task['threads']
    # Threads that spin after a pass would slow down the other contestants.
    options.add_session_config_entry('session.force_spinning_stop', '1')
    session = runtime.InferenceSession(task['graph'], options, ['CPUExecutionProvider'])
    (images,) = (each.name for each in session.get_inputs())
    return lambda batch: session.run(None, {images: batch.numpy()})


def _openvino(task: dict[str, Any]) -> Callable[[Tensor], Any]:
    openvino = importlib.import_module('openvino')
    precision = 'bf16' if task['dtype'] == 'bfloat16' else 'f32'
    settings = {'INFERENCE_NUM_THREADS': task['threads'], 'INFERENCE_PRECISION_HINT': precision}
    model = openvino.Core().compile_model(task['graph'], 'CPU', settings)
    return lambda batch: model(batch.numpy())


_BUILDERS = {
    'rexdense': _rexdense,
    'timm': _timm,
    'torchvision': _torchvision,
    'smp': _smp,
    'onnxruntime': _onnxruntime,
    'openvino': _openvino,
}
