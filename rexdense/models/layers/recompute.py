"""Recomputation in the backward pass of feature maps that the forward pass does not keep.

:func:`recompute` runs any block; ``how`` is the argument ``recompute`` of a backbone or decoder:

- None: autograd keeps what it needs.
- 'activations': keep the block's input and the outputs of its convolutions. The cheap operations
  between them run again.
- 'blocks': keep only the input. The whole block runs again.

Only the forward pass updates running statistics. The second run uses the random numbers, autocast
and training mode of the forward pass. Gradients can be computed any number of times, in part or as
a whole, and differentiated again. Nothing is recomputed in recorded graphs, under ``torch.func``
and in forward-mode differentiation.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import get_device_states, set_device_states

from rexdense.errors import InvalidArgument
from rexdense.models.layers.activations import silu
from rexdense.models.layers.known_norm import (
    BatchStatistics,
    KnownConvNorm,
    gradients_of,
    takes_statistics,
)
from rexdense.models.layers.recording import has_hooks, records_eagerly

RECOMPUTE = (None, 'blocks', 'activations')


def resolve_recompute(with_cp: bool, recompute: str | None) -> str | None:
    """Return the value of ``recompute``, or 'blocks' if ``with_cp``, mmdet's name for it, is True.
    Raise InvalidArgument for other values, or if the two contradict each other."""
    if isinstance(with_cp, str) and with_cp in RECOMPUTE:
        raise InvalidArgument(
            f'with_cp={with_cp!r}: write recompute={with_cp!r}; with_cp is False or True'
        )
    if not isinstance(with_cp, bool):
        raise InvalidArgument(
            f"with_cp={with_cp!r}: allowed are False and True (the same as recompute='blocks')"
        )
    if not (recompute is None or (isinstance(recompute, str) and recompute in RECOMPUTE)):
        raise InvalidArgument(
            f"recompute={recompute!r}: allowed are None, 'blocks' (compute whole blocks again) and "
            "'activations' (keep the convolutions, compute the rest again)"
        )
    if with_cp and recompute == 'activations':
        raise InvalidArgument(
            "with_cp=True with recompute='activations': the former means recompute='blocks'; leave "
            'one of them out'
        )
    return 'blocks' if with_cp else recompute


def recompute(block: nn.Module, x: Tensor, how: str | None) -> Tensor:
    """Return ``block(x)``; the backward pass recomputes what ``how`` says, see the module."""
    # Replicas of nn.DataParallel do not list their parameters.
    if how is None or is_replayed() or not records_eagerly(x) or hasattr(block, '_is_replica'):
        return block(x)
    modules = tuple(block.modules())
    places = [(module._parameters, name) for module in modules for name in module._parameters]
    parameters = [parameters[name] for parameters, name in places]
    if not any(tensor is not None and tensor.requires_grad for tensor in (x, *parameters)):
        return block(x)
    return _RunAgain.apply(modules, how, places, x, *parameters)


class _Tape:
    """Outputs of a block's convolutions, and the statistics of the norms after them.

    Attributes:
        notes: Tensors per convolution, in the order of the calls: the output, and the mean and
            1 / standard deviation of the batch if the norm used them.
        played: Whether the tape is read, not written.
    """

    def __init__(self, notes: Sequence[tuple[Tensor, ...]] | None = None) -> None:
        self.played = notes is not None
        self.notes = list(notes or ())

    def conv_norm(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, silu: bool, x: Tensor) -> Tensor:
        """Return the normalised output of a convolution, or SiLU of it."""
        if self.played:
            output, *statistics = self.notes.pop(0)
            geometry = conv.stride, conv.padding, conv.dilation, conv.groups
            statistics = statistics or [norm.running_mean, norm.running_var]
            arguments = (geometry, norm.eps, takes_statistics(norm), silu, output, *statistics)
            return KnownConvNorm.apply(*arguments, x, conv.weight, norm.weight, norm.bias)
        output = conv(x)
        with BatchStatistics() as statistics:
            normalised = norm(output)
        self.notes.append((output, *statistics.found))
        return F.silu(normalised, inplace=True) if silu else normalised


class _Run(threading.local):
    """The running block of :func:`recompute` in this thread."""

    active = False
    tape: _Tape | None = None


_run = _Run()


def is_replayed() -> bool:
    """Return whether :func:`recompute` runs a block, for the first or second time."""
    return _run.active


def is_taped() -> bool:
    """Return whether :func:`recompute` records or replays the outputs of convolutions."""
    return _run.tape is not None


def taped(
    conv: nn.Module, norm: nn.Module, activation: Callable[[Tensor], Tensor] | None, x: Tensor
) -> Tensor:
    """Return ``activation(norm(conv(x)))`` if :func:`is_taped`; only what is not on the tape is
    recomputed."""
    known = (
        type(conv) is nn.Conv2d
        and type(norm) is nn.BatchNorm2d
        and conv.bias is None
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
        and not has_hooks(conv, norm)
    )
    if not known:
        x = norm(conv(x))
    elif activation is silu:
        return _run.tape.conv_norm(conv, norm, True, x)
    else:
        x = _run.tape.conv_norm(conv, norm, False, x)
    return x if activation is None else activation(x)


@contextlib.contextmanager
def _running(tape: _Tape | None) -> Iterator[None]:
    before = _run.active, _run.tape
    _run.active, _run.tape = True, tape
    try:
        yield
    finally:
        _run.active, _run.tape = before


class _Surroundings:
    """The autocast, training modes and random state of a forward pass."""

    def __init__(self, modules: Sequence[nn.Module], x: Tensor) -> None:
        self._device, self._modules = x.device.type, modules
        self._modes = [module.training for module in modules]
        self._autocast = None
        if torch.amp.is_autocast_available(self._device):
            self._autocast = dict(
                dtype=torch.get_autocast_dtype(self._device),
                enabled=torch.is_autocast_enabled(self._device),
            )
        self._random = self._random_state(x)

    @staticmethod
    def _random_state(x: Tensor) -> tuple[Tensor, list[int], list[Tensor]]:
        devices, states = ([], []) if x.is_cpu or x.is_meta else get_device_states(x)
        return torch.get_rng_state(), devices, states

    def forget_unused(self, x: Tensor) -> None:
        """Drop the random state if nothing was drawn since it was taken."""
        (now, _, states), (before, _, earlier) = self._random_state(x), self._random
        if all(map(torch.equal, (now, *states), (before, *earlier))):
            self._random = None

    def autocast(self) -> contextlib.AbstractContextManager:
        # Without the weight cache, which would return weights that were cast without autograd.
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device, cache_enabled=False, **self._autocast)

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        current = [module.training for module in self._modules]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.autocast())
            if self._random is not None:
                state, devices, states = self._random
                fork = dict(device_type=self._device) if devices else {}
                stack.enter_context(torch.random.fork_rng(devices, **fork))
                torch.set_rng_state(state)
                if devices:
                    set_device_states(devices, states, device_type=self._device)
            self._set(self._modes)
            stack.callback(self._set, current)
            yield

    def _set(self, modes: Sequence[bool]) -> None:
        for module, mode in zip(self._modules, modes, strict=True):
            module.training = mode


_Places = Sequence[tuple[dict[str, Tensor | None], str]]


@contextlib.contextmanager
def _replaced(places: _Places, tensors: Sequence[Tensor | None]) -> Iterator[None]:
    """Replace parameters or buffers by tensors; faster than torch's functional_call."""
    present = [holder[name] for holder, name in places]
    for (holder, name), tensor in zip(places, tensors, strict=True):
        holder[name] = tensor
    try:
        yield
    finally:
        for (holder, name), tensor in zip(places, present, strict=True):
            holder[name] = tensor


# torch's selective checkpointing keeps as little, but makes a step take 1.39 times as long.
class _RunAgain(torch.autograd.Function):
    """A block that keeps its input and optionally a tape, and runs again in the backward pass."""

    @staticmethod
    def forward(ctx, modules, how, places, x, *parameters):
        ctx.modules, ctx.places = modules, places
        ctx.surroundings = _Surroundings(modules, x)
        ctx.buffers = [
            (part._buffers, name)
            for part in modules
            for name, buffer in part._buffers.items()
            if buffer is not None
        ]
        # Copies: forward passes in training change the buffers, unseen by autograd.
        buffers = [holder[name].clone() for holder, name in ctx.buffers]
        tape = _Tape() if how == 'activations' else None
        with ctx.surroundings.autocast(), _running(tape):
            output = modules[0](x)
        ctx.surroundings.forget_unused(x)
        notes = [] if tape is None else tape.notes
        ctx.taped, ctx.lengths = tape is not None, [len(note) for note in notes]
        ctx.save_for_backward(
            x,
            *parameters,
            *buffers,
            *(tensor for note in notes for tensor in note),
        )
        return output

    @staticmethod
    def backward(ctx, gradient):
        twice = torch.is_grad_enabled()
        tensors = iter(ctx.saved_tensors)
        inputs = [next(tensors) for _ in range(1 + len(ctx.places))]
        buffers = [next(tensors) for _ in ctx.buffers]
        notes = [tuple(next(tensors) for _ in range(length)) for length in ctx.lengths]

        def run(x: Tensor, *parameters: Tensor) -> Tensor:
            with (
                _replaced(ctx.places, parameters),
                _replaced(ctx.buffers, [buffer.clone() for buffer in buffers]),
                ctx.surroundings.restored(),
                # Results from the tape are good for only one pass.
                _running(_Tape(notes) if ctx.taped and not twice else None),
            ):
                return ctx.modules[0](x)

        needed = ctx.needs_input_grad[3:]
        return None, None, None, *gradients_of(run, inputs, needed, gradient, twice)
