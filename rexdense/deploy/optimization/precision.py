"""Networks in bfloat16 with inputs and outputs in float32."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from rexdense.deploy.optimization.parts import parts_of


def set_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Convert the parts of a network that process feature maps to ``dtype``.

    Hooks convert the inputs to ``dtype`` and the outputs to float32, so that heads run NMS and
    argmax in float32.
    """
    parts = parts_of(network)
    for part in parts:
        part.to(dtype)
        # Parts without weights, such as a pooling, compute in the dtype of their input.
        if dtype != torch.float32 and next(part.parameters(), None) is not None:
            part.register_forward_pre_hook(lower_inputs, with_kwargs=True)
    if dtype != torch.float32:
        parts[-1].register_forward_hook(float32_outputs)


def lower_inputs(module: nn.Module, inputs: tuple, named: dict[str, Any]) -> tuple[tuple, dict]:
    """Convert a module's inputs to the dtype of its weights."""
    dtype = next(module.parameters()).dtype

    def lowered(value: Any) -> Any:
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(dtype) if floating else value

    return tree_map(lowered, inputs), tree_map(lowered, named)


def float32_outputs(module: nn.Module, inputs: tuple, outputs: Any) -> Any:
    """Convert a module's outputs to float32."""
    return tree_map(
        lambda value: (
            value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
        ),
        outputs,
    )
