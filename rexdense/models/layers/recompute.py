"""What the backward pass computes again instead of keeping it from the forward pass.

:func:`recompute` runs any block; ``how`` is the ``recompute`` of a backbone or decoder:

- None: autograd keeps what it needs.
- 'activations': the block's input and its convolutions' outputs are kept; normalisations and
  activations, which cost little, run again.
- 'blocks': the input alone is kept; the whole block runs again.

In both, the statistics of batch norms are kept too, two numbers a channel, and running statistics
are left to the forward pass; random numbers, autocast and training mode are those of that pass. The
block needs no code for this: a mode of ``torch.overrides`` hands its convolutions and norms what
they gave in the forward pass. Gradients may be taken any number of times, in part or whole, and be
differentiated again. In graphs that are recorded, and under ``torch.func`` and forward
differentiation, nothing is computed again.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import get_device_states, set_device_states

from rexdense.errors import InvalidArgument

__all__ = [
    'SiLUOnce',
    'is_replayed',
    'norm_silu',
    'records_eagerly',
    'recompute',
    'resolve_recompute',
    'runs_for_one_pass',
]

RECOMPUTE = (None, 'blocks', 'activations')


def resolve_recompute(with_cp: bool, recompute: str | None) -> str | None:
    """Return what is computed again: ``recompute``, or 'blocks' where ``with_cp`` says so, which is
    mmdet's name for that.

    Raises:
        InvalidArgument: either is outside what is allowed, or they contradict each other.
    """
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
    """Return ``block(x)``; the backward pass computes again what ``how`` says, see the module."""
    # Replicas of nn.DataParallel do not tell their parameters.
    if how is None or is_replayed() or not records_eagerly(x) or hasattr(block, '_is_replica'):
        return block(x)
    parameters = dict(block.named_parameters())
    if not any(tensor.requires_grad for tensor in (x, *parameters.values())):
        return block(x)
    return _RunAgain.apply(block, how, tuple(parameters), x, *parameters.values())


def norm_silu(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Return ``silu(norm(x))``, for which autograd keeps ``x`` but not ``norm(x)``.

    Only where :func:`records_eagerly`, and not :func:`is_replayed`.
    """
    return _NormSiLU.apply(norm, x, norm.weight, norm.bias)


def records_eagerly(x: Tensor) -> bool:
    """Return whether autograd, and nothing else, records what is made of ``x``."""
    return (
        isinstance(x, Tensor)  # and no proxy of torch.fx
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


_thread = threading.local()


def is_replayed() -> bool:
    """Return whether :func:`recompute` is running a block, for the first time or again."""
    return getattr(_thread, 'mode', None) is not None


def runs_for_one_pass() -> bool:
    """Return whether a block runs again, for one backward pass that nothing differentiates."""
    mode = getattr(_thread, 'mode', None)
    return isinstance(mode, _Replay) and not mode.twice


class _Recorder(TorchFunctionMode):
    """Notes the outputs of convolutions and the statistics of batch norms.

    Attributes:
        notes: The tensors of each, in the order of their calls; none for a convolution that is to
            be computed again.
    """

    def __init__(self, convolutions: bool, inputs: Sequence[Tensor | None]) -> None:
        super().__init__()
        self.notes: list[tuple[Tensor, ...]] = []
        self._convolutions, self._versions = convolutions, []
        self._inputs = {id(tensor) for tensor in inputs}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        # Autograd is off: what requires a gradient comes from outside.
        for value in args:
            outside = isinstance(value, Tensor) and value.requires_grad
            if outside and id(value) not in self._inputs:
                raise RuntimeError(
                    'a block that is computed again reads a tensor which requires a gradient and '
                    'is neither its input nor its parameter: register it, or set recompute=None'
                )
        call = self._batch_norm if function is F.batch_norm else function
        output = call(*args, **kwargs or {})
        if function is torch.conv2d:
            kept = self._convolutions and output.dim() == 4
            self.notes.append((output,) if kept else ())
            self._versions.append((len(self.notes) - 1, output._version if kept else 0))
        return output

    def _batch_norm(
        self, x, mean, variance, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
    ) -> Tensor:
        if not training or x.numel() == x.shape[1]:  # F.batch_norm refuses the latter
            self.notes.append((mean, variance))
            return F.batch_norm(x, mean, variance, weight, bias, training, momentum, eps)
        output, *statistics = torch.native_batch_norm(
            x, weight, bias, mean, variance, training, momentum, eps
        )
        self.notes.append(tuple(statistics))
        return output

    def finish(self) -> list[tuple[Tensor, ...]]:
        """Return the notes, without outputs that were overwritten since."""
        for place, version in self._versions:
            if self.notes[place] and self.notes[place][0]._version != version:
                self.notes[place] = ()
        return self.notes


class _Replay(TorchFunctionMode):
    """Hands convolutions and batch norms what a :class:`_Recorder` has noted.

    Args:
        twice: The gradient will be differentiated, so all but the random numbers and the running
            statistics is computed again.
    """

    def __init__(self, notes: Sequence[tuple[Tensor, ...]], twice: bool) -> None:
        super().__init__()
        self._notes, self.twice = iter(notes), twice

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is F.batch_norm:
            return self._batch_norm(next(self._notes), *args, **kwargs)
        if function is torch.conv2d:
            note = next(self._notes)
            if note and not self.twice:
                return _known_convolution(*note, *args, **kwargs)
        return function(*args, **kwargs)

    def _batch_norm(
        self,
        note,
        x,
        mean,
        variance,
        weight=None,
        bias=None,
        training=False,
        momentum=0.1,
        eps=1e-5,
    ) -> Tensor:
        if training and not self.twice:
            return _KnownBatchNorm.apply(x, weight, bias, *note, eps)
        return _batch_norm(x, weight, bias, *note, training, eps)


class _Surroundings:
    """The autocast, training modes and random state of a forward pass."""

    def __init__(self, block: nn.Module, x: Tensor) -> None:
        self._device = x.device.type
        self._modes = [module.training for module in block.modules()]
        self._autocast = None
        if torch.amp.is_autocast_available(self._device):
            self._autocast = dict(
                dtype=torch.get_autocast_dtype(self._device),
                enabled=torch.is_autocast_enabled(self._device),
            )
        self._random = self._random_state(x)

    @staticmethod
    def _random_state(x: Tensor) -> tuple[Tensor, list[int], list[Tensor]]:
        devices, states = ([], []) if x.is_meta else get_device_states(x)
        return torch.get_rng_state(), devices, states

    def forget_unused(self, x: Tensor) -> None:
        """Drop the random state if nothing was drawn since it was taken."""
        (now, _, states), (before, _, earlier) = self._random_state(x), self._random
        if all(map(torch.equal, (now, *states), (before, *earlier))):
            self._random = None

    def autocast(self) -> contextlib.AbstractContextManager:
        # Without its cache of weights, which would hand on those that were cast without autograd.
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device, cache_enabled=False, **self._autocast)

    @contextlib.contextmanager
    def restored(self, block: nn.Module) -> Iterator[None]:
        modules = list(block.modules())
        current = [module.training for module in modules]
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.autocast())
            if self._random is not None:
                state, devices, states = self._random
                fork = dict(device_type=self._device) if devices else {}
                stack.enter_context(torch.random.fork_rng(devices, **fork))
                torch.set_rng_state(state)
                if devices:
                    set_device_states(devices, states, device_type=self._device)
            _set_modes(modules, self._modes)
            stack.callback(_set_modes, modules, current)
            yield


def _set_modes(modules: Sequence[nn.Module], modes: Sequence[bool]) -> None:
    for module, mode in zip(modules, modes, strict=True):
        module.training = mode


@contextlib.contextmanager
def _replayed(mode: TorchFunctionMode) -> Iterator[None]:
    _thread.mode = mode
    try:
        with mode:
            yield
    finally:
        _thread.mode = None


# torch's selective checkpointing keeps as little, but makes a step take 1.39 times as long.
class _RunAgain(torch.autograd.Function):
    """A block that keeps its input and notes, and runs again in the backward pass."""

    @staticmethod
    def forward(ctx, block, how, names, x, *parameters):
        ctx.block, ctx.names = block, names
        ctx.surroundings = _Surroundings(block, x)
        recorder = _Recorder(how == 'activations', (x, *parameters))
        with ctx.surroundings.autocast(), _replayed(recorder):
            output = block(x)
        ctx.surroundings.forget_unused(x)
        notes = recorder.finish()
        ctx.lengths = [len(note) for note in notes]
        ctx.save_for_backward(x, *parameters, *(tensor for note in notes for tensor in note))
        return output

    @staticmethod
    def backward(ctx, gradient):
        block, tensors = ctx.block, ctx.saved_tensors
        count = 1 + len(ctx.names)
        rest = iter(tensors[count:])
        notes = [tuple(next(rest) for _ in range(length)) for length in ctx.lengths]

        def run(x: Tensor, *parameters: Tensor) -> Tensor:
            state = dict(zip(ctx.names, parameters, strict=True))
            # Copies, which a norm may update.
            state |= {name: buffer.clone() for name, buffer in block.named_buffers()}
            with ctx.surroundings.restored(block), _replayed(_Replay(notes, twice)):
                return torch.func.functional_call(block, state, (x,))

        twice = torch.is_grad_enabled()
        needed = ctx.needs_input_grad[3:]
        return None, None, None, *_gradients(run, tensors[:count], needed, gradient, twice)


def _gradients(
    run: Callable[..., Tensor],
    tensors: Sequence[Tensor | None],
    needed: Sequence[bool],
    gradient: Tensor,
    twice: bool,
) -> list[Tensor | None]:
    """Return the gradients of ``run(*tensors)``; ``twice`` makes them differentiable in turn."""
    with torch.enable_grad():
        # Aliases, so that a path from one of the tensors to another does not count.
        inputs = [
            tensor
            if tensor is None
            else tensor.view_as(tensor)
            if twice
            else tensor.detach().requires_grad_(need)
            for tensor, need in zip(tensors, needed, strict=True)
        ]
        output = run(*inputs)
    wanted = [tensor for tensor, need in zip(inputs, needed, strict=True) if need]
    found = iter(
        torch.autograd.grad(output, wanted, gradient, create_graph=twice, allow_unused=True)
    )
    return [next(found) if need else None for need in needed]


def _known_convolution(
    output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1
) -> Tensor:
    if isinstance(padding, str):
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)
    # As autocast does.
    x, weight = x.to(output.dtype), weight.to(output.dtype)
    bias = bias if bias is None else bias.to(output.dtype)
    stride, padding, dilation = (
        (sizes, sizes) if isinstance(sizes, int) else tuple(sizes)
        for sizes in (stride, padding, dilation)
    )
    return _KnownConvolution.apply(output, x, weight, bias, stride, padding, dilation, groups)


class _KnownConvolution(torch.autograd.Function):
    """A convolution whose output is at hand."""

    @staticmethod
    def forward(ctx, output, x, weight, bias, *geometry):
        ctx.geometry, ctx.biases = geometry, None if bias is None else list(bias.shape)
        ctx.save_for_backward(x, weight)
        return output.view_as(output)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (x, weight), (*sizes, groups) = ctx.saved_tensors, ctx.geometry
        gradients = torch.ops.aten.convolution_backward(
            gradient,
            x,
            weight,
            ctx.biases,
            *sizes,
            False,
            [0, 0],
            groups,
            ctx.needs_input_grad[1:4],
        )
        return None, *gradients, None, None, None, None


class _KnownBatchNorm(torch.autograd.Function):
    """A batch norm whose batch statistics (mean, 1 / standard deviation) are at hand."""

    @staticmethod
    def forward(ctx, x, weight, bias, mean, inverse, eps):
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.eps = eps
        return _normalised(x, weight, bias, mean, inverse)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, weight, mean, inverse = ctx.saved_tensors
        gradients = torch.ops.aten.native_batch_norm_backward(
            gradient,
            x,
            weight,
            None,
            None,
            mean,
            inverse,
            True,
            ctx.eps,
            ctx.needs_input_grad[:3],
        )
        return *gradients, None, None, None


class SiLUOnce(torch.autograd.Function):
    """SiLU that overwrites its argument in the backward pass: for a map that nothing else needs,
    where :func:`runs_for_one_pass`. For large maps fresh memory costs more than the computation."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return F.silu(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.ops.aten.silu_backward.grad_input(gradient, x, grad_input=x)


class _NormSiLU(torch.autograd.Function):
    """SiLU of a batch norm, written over the norm's output, which is computed again."""

    @staticmethod
    def forward(ctx, norm, x, weight, bias):
        with _Recorder(False, (x, weight, bias)) as recorder:
            output = norm(x)
        ctx.training, ctx.eps = norm.training or norm.running_mean is None, norm.eps
        ctx.save_for_backward(x, weight, bias, *recorder.notes[0])
        return F.silu(output, inplace=True)

    @staticmethod
    def backward(ctx, gradient):
        *inputs, first, second = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():

            def run(*inputs: Tensor) -> Tensor:
                return F.silu(_batch_norm(*inputs, first, second, ctx.training, ctx.eps))

            return None, *_gradients(run, inputs, needed, gradient, twice=True)
        x, weight, bias = inputs
        if ctx.training:
            output = _normalised(x, weight, bias, first, second)
            statistics = (None, None, first, second)
        else:
            output = _batch_norm(x, weight, bias, first, second, False, ctx.eps)
            statistics = (first, second, None, None)
        gradient = torch.ops.aten.silu_backward.grad_input(gradient, output, grad_input=output)
        return None, *torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, *statistics, ctx.training, ctx.eps, needed
        )


def _normalised(x, weight, bias, mean, inverse) -> Tensor:
    return F.batch_norm(x, mean, inverse.pow(-2), weight, bias, eps=0.0)


def _batch_norm(x, weight, bias, mean, variance, training: bool, eps: float) -> Tensor:
    """Return a batch norm by these statistics or, in training, by the batch's own."""
    if training:
        mean = variance = None
    return F.batch_norm(x, mean, variance, weight, bias, training, 0.0, eps)
