"""The outputs of a model with several output strides, each as a prediction."""

import contextlib
from collections.abc import Iterator, Sequence

from torch import nn

from rexdense.errors import InvalidArgument


def output_strides(model: nn.Module) -> list[int]:
    """Return the strides of the outputs of a model with several; an empty list for a single
    output."""
    head = getattr(model, 'decode_head', None)
    return list(head.decoder.output_strides) if hasattr(head, 'predict_weights') else []


def chosen_strides(model: nn.Module, scales: str | Sequence[int] | None) -> list[int]:
    """Return the output strides that are wanted of a model; raise InvalidArgument where it has a
    single output, or none at a stride that is wanted.

    Args:
        scales: Strides; 'all' for each, 'if any' for each where there are several; None for none.
    """
    strides = output_strides(model)
    if scales is None:
        return []
    if scales == 'if any':
        return strides
    if isinstance(scales, str) and scales != 'all':
        raise InvalidArgument(
            f"scales={scales!r}: give 'all', or strides such as [1, 4]; or 'if any'"
        )
    if not strides:
        raise InvalidArgument(
            'scales: this model has a single output; it goes with heads that have several, such '
            'as rexdense.MultiScaleUNetHead'
        )
    wanted = strides if scales == 'all' else list(dict.fromkeys(scales))
    lacking = [stride for stride in wanted if stride not in strides]
    if lacking:
        raise InvalidArgument(
            f'scales: this model has no output at stride {", ".join(map(str, lacking))}; it has '
            f'{", ".join(map(str, strides))}'
        )
    return wanted


@contextlib.contextmanager
def one_output(model: nn.Module, stride: int) -> Iterator[None]:
    """Make a model of :func:`chosen_strides` predict only from its output at one stride."""
    head = model.decode_head
    weights, head.predict_weights = head.predict_weights, {stride: 1.0}
    try:
        yield
    finally:
        head.predict_weights = weights
