"""What autograd keeps for the backward pass, and what is computed again there.

Three modes, chosen by a backbone's ``with_cp``:

- False: the outputs of convolutions, normalisations and SiLU are kept; ReLU6 and the products of
  squeeze-excitation, which cost next to nothing, are computed again.
- 'activations': only the outputs of convolutions are kept; SiLU, batch and group normalisation are
  computed again too, the latter with the statistics of the forward pass. ReXNet cannot be
  differentiated twice then.
- True: only the inputs of blocks are kept; a block runs a second time in the backward pass.

Running statistics are updated by the forward pass alone, as in a network that keeps everything.
Under ``torch.compile`` no mode has an effect, the compiler chooses what to compute again; nor under
``torch.func``, which forbids to replace what autograd keeps.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from rexdense.errors import InvalidArgument

__all__ = ['FeatureMap', 'Recomputed', 'check_with_cp', 'may_overwrite', 'recompute_block']


def check_with_cp(with_cp: bool | str) -> None:
    """Raise InvalidArgument unless ``with_cp`` is False, True or 'activations'."""
    if with_cp not in (False, True, 'activations'):
        raise InvalidArgument(
            f'with_cp={with_cp!r}: allowed are False, True (recompute whole blocks) and '
            "'activations' (keep the convolutions, recompute what lies between)"
        )


def may_overwrite() -> bool:
    """Return whether a map that was just computed may be overwritten.

    Not where autograd may keep it, nor in a graph that is recorded: such a graph would depend on
    whether autograd was on, which torch's tracer takes for a fault.
    """
    recording = torch.compiler.is_compiling() or torch.jit.is_tracing()
    return not (torch.is_grad_enabled() or recording)


def _may_recompute(x: Tensor) -> bool:
    return (
        isinstance(x, Tensor)  # and no proxy of torch.fx
        and torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
        and _autograd_saves_by_itself()
    )


def _autograd_saves_by_itself() -> bool:
    """Whether autograd's saving may be replaced.

    torch.func forbids it. And below an outer checkpoint, which runs everything again anyway, a
    saved tensor can be read once only.
    """
    try:
        with saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor):
            pass
    except RuntimeError:
        return False
    # There is no public way to ask for the hooks in force.
    outer = torch._C._autograd._top_saved_tensors_default_hooks(False)
    return outer is None or outer[0].__module__ != checkpoint.__module__


class Recomputed:
    """A tensor that the backward pass computes again.

    The value is shared by all who read it during one backward pass, then dropped.

    Args:
        compute: Returns the tensor, from what autograd keeps for other operations. It must hold no
            tensor itself: one that autograd does not know of would stay in memory under an outer
            checkpoint, too.
        inputs: What ``compute`` reads of this kind.
    """

    def __init__(self, compute: Callable[[], Tensor], *inputs: 'Recomputed | None') -> None:
        self._compute = compute
        self._readers = self._unread = 0
        self._value: Tensor | None = None
        for source in inputs:
            if source is not None:
                source._readers += 1

    def saved(self) -> 'Recomputed':
        """Count one more operation that reads the tensor; what autograd saves in its place."""
        self._readers += 1
        return self

    def read(self) -> Tensor:
        """Return the tensor."""
        if self._value is None:
            with torch.no_grad():
                self._value = self._compute()
            self._unread = self._readers
        value = self._value
        self._unread -= 1
        if self._unread == 0:
            self._value = None
        return value


class _SavedAs(saved_tensors_hooks):
    """While it lasts, autograd saves ``source`` wherever an operation saves ``value``."""

    def __init__(self, value: Tensor, source: Recomputed) -> None:
        super().__init__(
            lambda tensor: source.saved() if tensor is value else tensor,
            lambda saved: saved.read() if isinstance(saved, Recomputed) else saved,
        )


@dataclasses.dataclass(frozen=True)
class FeatureMap:
    """A tensor on its way through a block, and how the backward pass gets it.

    Attributes:
        value: The tensor.
        with_cp: The mode, see the module.
        source: None where autograd keeps ``value`` if an operation needs it.
    """

    value: Tensor
    with_cp: bool | str = False
    source: Recomputed | None = None

    def recomputes(self) -> bool:
        """Whether what follows may be computed again in a backward pass."""
        return self.with_cp is not True and _may_recompute(self.value) and self.value.requires_grad

    def read_by(self, operation: Callable[[Tensor], Tensor]) -> Tensor:
        """Return ``operation(value)``, which may save the value for the backward pass."""
        if self.source is None:
            return operation(self.value)
        with _SavedAs(self.value, self.source):
            return operation(self.value)

    def then(self, value: Tensor, source: Recomputed | None = None) -> 'FeatureMap':
        """Return the map that follows this one."""
        return FeatureMap(value, self.with_cp, source)


@contextlib.contextmanager
def _statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Let the batch norms below ``module`` normalise as before, and update nothing."""
    norms = [
        norm
        for norm in module.modules()
        if isinstance(norm, _BatchNorm) and norm.training and norm.track_running_stats
    ]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


def recompute_block(block: nn.Module, x: Tensor) -> Tensor:
    """Return ``block(x)``, keeping only ``x`` for the backward pass.

    Random numbers and autocast are those of the forward pass when the block runs again.
    """
    if not _may_recompute(x):
        return block(x)
    return checkpoint(
        block,
        x,
        use_reentrant=False,
        context_fn=lambda: (contextlib.nullcontext(), _statistics_untouched(block)),
    )
