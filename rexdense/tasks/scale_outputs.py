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


def chosen_strides(model: nn.Module, wanted: Sequence[int] | None) -> list[int]:
    """Return the requested output strides of a model, or all of them for None. Raise
    InvalidArgument if the model has a single output, or no output at a requested stride."""
    strides = output_strides(model)
    if not strides:
        raise InvalidArgument(
            'scales: this model has a single output; it goes with heads that have several, such '
            'as rexdense.MultiScaleUNetHead'
        )
    lacking = [stride for stride in wanted or () if stride not in strides]
    if lacking:
        raise InvalidArgument(
            f'scales: this model has no output at stride {", ".join(map(str, lacking))}; it has '
            f'{", ".join(map(str, strides))}'
        )
    return strides if wanted is None else list(dict.fromkeys(wanted))


@contextlib.contextmanager
def one_output(model: nn.Module, stride: int) -> Iterator[None]:
    """Make a model of :func:`chosen_strides` predict only from its output at one stride."""
    head = model.decode_head
    weights, head.predict_weights = head.predict_weights, {stride: 1.0}
    try:
        yield
    finally:
        head.predict_weights = weights
