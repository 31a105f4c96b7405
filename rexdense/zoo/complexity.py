"""Complexity of a network: parameters, multiply-accumulates and activations."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

COUNTING_RULE = {
    'parameters': 'elements of all parameters; running statistics and batch counters are none',
    'macs': 'multiply-accumulates of convolutions and linear layers, without biases',
    'activations': 'elements of the outputs of convolutions (Radosavovic et al. 2020, section 4)',
}


class Complexity(NamedTuple):
    """Counts of :data:`COUNTING_RULE`."""

    parameters: int
    macs: int
    activations: int


@contextlib.contextmanager
def counting(module: nn.Module) -> Iterator[dict[str, int]]:
    """Count ``macs`` and ``activations`` of what ``module`` computes in this context. Operations
    outside ``nn.Conv*d`` and ``nn.Linear`` are not counted."""
    counted = {'macs': 0, 'activations': 0}

    def count(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # weight[0] is the weights per output element; in a transposed layer, per input element.
        elements = inputs[0] if isinstance(layer, _ConvTransposeNd) else output
        counted['macs'] += elements.numel() * layer.weight[0].numel()
        if isinstance(layer, _ConvNd):
            counted['activations'] += output.numel()

    hooks = [
        layer.register_forward_hook(count)
        for layer in module.modules()
        if isinstance(layer, _ConvNd | nn.Linear)
    ]
    try:
        yield counted
    finally:
        for hook in hooks:
            hook.remove()


def count_complexity(
    module: nn.Module, input_shape: Sequence[int] = (1, 3, 224, 224)
) -> Complexity:
    """Count the cost of a forward pass of ``module`` in evaluation mode, without computing it.

    The forward pass runs on the meta device, whatever device ``module`` is on; ``module`` stays
    unchanged. Operations outside ``nn.Conv*d`` and ``nn.Linear`` are not counted.

    Args:
        input_shape: Shape of the only input, (N, C, H, W) for images. The counts are for all N.

    Example:
        >>> count_complexity(nn.Conv2d(3, 8, 3, stride=2, padding=1), (1, 3, 32, 32))
        Complexity(parameters=224, macs=55296, activations=2048)
    """
    tensors = {
        name: torch.empty_like(tensor, device='meta')
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }
    modes = {layer: layer.training for layer in module.modules()}
    try:
        for layer in modes:
            layer.training = False
        with counting(module) as counted, torch.no_grad():
            torch.func.functional_call(module, tensors, torch.empty(*input_shape, device='meta'))
    finally:
        for layer, training in modes.items():
            layer.training = training
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Complexity(parameters, **counted)
