"""Comparison of a graph's outputs with the network's outputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rexdense.deploy.graph import Graph
from rexdense.errors import GraphMismatch, RexdenseError, first_line

TOLERANCE = 1e-4
"""The relative error of a graph must be below this."""


def check_outputs(
    graph: Graph,
    open_graph: Callable[[], Callable[[Tensor], Mapping[str, Tensor]]],
    inputs: Sequence[Tensor],
) -> dict[str, float]:
    """Return the largest relative error of each output over all inputs.

    Args:
        graph: The graph, which computes the expected outputs.
        open_graph: Returns the written graph as a function in its runtime.

    Raises:
        GraphMismatch: an output exceeds the tolerance (the message names the worst one), or the
            runtime fails.
    """
    run = _attempt(open_graph, 'the written graph cannot be opened')
    worst: dict[str, float] = {}
    for images in inputs:
        shape = 'x'.join(map(str, images.shape))
        with torch.no_grad():
            expected = graph.reference(images)
        found = _attempt(
            lambda images=images: run(images),
            f'the graph does not run on images of {shape}, which the network takes',
        )
        errors = graph.errors(found, expected)
        name = max(errors, key=errors.__getitem__)
        if not errors[name] < TOLERANCE:
            raise GraphMismatch(
                f'the graph differs from the network on images of {shape}: {name} is off by '
                f'{errors[name]:.2g} of its largest value, of {len(errors)} outputs the worst; '
                f'less than {TOLERANCE:g} is allowed. It was not written'
            )
        worst = {key: max(error, worst.get(key, 0.0)) for key, error in errors.items()}
    return worst


def _attempt(action: Callable[[], Any], failure: str) -> Any:
    try:
        return action()
    except (RexdenseError, ImportError):
        raise
    # Each runtime has its own exceptions.
    except Exception as error:
        raise GraphMismatch(f'{failure} ({first_line(error)}): it was not written') from error
