"""Naming schemes: tables that define the renaming in both directions."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from rexdense.arch import Architecture
from rexdense.checkpoint.names.native import HEAD, NORM_TENSORS, blocks, native_layers
from rexdense.checkpoint.preprocessing import Preprocessing

# The tensors of a layer in their order: (their name, rexdense's name).
TORCH_TENSORS = tuple((name, name) for name in NORM_TENSORS)
MINDSPORE_NORM_TENSORS = (
    ('moving_mean', 'running_mean'),
    ('moving_variance', 'running_var'),
    ('gamma', 'weight'),
    ('beta', 'bias'),
)


class Entry(NamedTuple):
    """A tensor of a network: its name in a scheme and in rexdense, and its shape in the scheme."""

    theirs: str
    native: str
    shape: tuple[int, ...]


class Names(Protocol):
    """Interface of a project's names for one family, see :class:`FamilyNames`."""

    @property
    def preprocessing(self) -> Preprocessing: ...

    @property
    def options(self) -> Mapping[str, Any]: ...

    def pairs(self, architecture: Architecture) -> Iterator[tuple[str, str]]: ...


@dataclasses.dataclass(frozen=True)
class FamilyNames:
    """A project's layer names for one family. Each table maps them to rexdense's, in the project's
    order.

    Attributes:
        stem: Layers before the blocks.
        block: Function that returns a block's path from ``index`` (in the network), ``level`` (1
            for c2), ``position`` (in its level, from 0) and ``number`` (from 1). It can be a
            ``str.format``.
        parts: Layers of a block; layers that a network lacks are skipped. If the names depend on
            the block's spec, a function of the spec.
        head: Layers after the blocks, or a function of the architecture.
        preprocessing: The preprocessing of the published weights.
        options: Arguments of the family's rule in which the project's networks differ, and with
            which the weights were trained.
    """

    stem: Mapping[str, str]
    block: Callable[..., str]
    parts: Mapping[str, str] | Callable[[Any], Mapping[str, str]]
    head: Mapping[str, str] | Callable[[Architecture], Mapping[str, str]]
    preprocessing: Preprocessing
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def with_parts(self, rename: Callable[[str], str], **changes: Any) -> 'FamilyNames':
        """Return these names with renamed parts of a block; ``parts`` must be a table.

        Args:
            rename: Function that returns the project's name of a part from the name here.
            changes: Further attributes.
        """
        assert not callable(self.parts)
        parts = {rename(theirs): native for theirs, native in self.parts.items()}
        return dataclasses.replace(self, parts=parts, **changes)

    def pairs(self, architecture: Architecture) -> Iterator[tuple[str, str]]:
        """Yield (their layer, rexdense's layer) for every layer of a network, in their order."""
        layers = native_layers(architecture)
        yield from self.stem.items()
        for index, block in enumerate(blocks(architecture)):
            theirs = self.block(
                index=index, level=block.level, position=block.position, number=block.position + 1
            )
            parts = self.parts(block.spec) if callable(self.parts) else self.parts
            for part, native in parts.items():
                if f'{block.path}.{native}' in layers:
                    yield f'{theirs}.{part}', f'{block.path}.{native}'
        head = self.head(architecture) if callable(self.head) else self.head
        yield from head.items()


@dataclasses.dataclass(frozen=True)
class Scheme:
    """A project's names for the tensors of its networks.

    Attributes:
        name: The name for ``source=`` and ``--format``.
        title: The name in reports.
        families: The names for each family of the project.
        nested: Whether its networks are mostly in ``backbone.`` of a larger model.
        mindspore: Whether batch norms have MindSpore's tensor names and order, without a batch
            counter.
        convolutional_fc: Whether the last layer is a 1x1 convolution, whose weight has two more
            dimensions of size 1.
    """

    name: str
    title: str
    families: Mapping[str, Names]
    nested: bool = False
    mindspore: bool = False
    convolutional_fc: bool = False

    def entries(self, architecture: Architecture) -> tuple[Entry, ...]:
        """Return all tensors of a classifier in the scheme's order; empty if it has none."""
        return _entries(self, architecture)

    def __hash__(self) -> int:
        return hash(self.name)


@functools.lru_cache(maxsize=1024)
def _entries(scheme: Scheme, architecture: Architecture) -> tuple[Entry, ...]:
    if architecture.family not in scheme.families:
        return ()
    layers = native_layers(architecture)
    pairs = list(scheme.families[architecture.family].pairs(architecture))
    if len(pairs) != len(layers):
        # The project has the family, but not all layers: OpenMMLab has no RegNetY.
        return ()
    entries = []
    for theirs, native in pairs:
        shapes = layers[native].shapes
        names = (
            MINDSPORE_NORM_TENSORS
            if scheme.mindspore and 'running_mean' in shapes
            else TORCH_TENSORS
        )
        for their_name, name in names:
            if name in shapes:
                widened = scheme.convolutional_fc and (native, name) == (f'{HEAD}fc', 'weight')
                shape = (*shapes[name], 1, 1) if widened else shapes[name]
                entries.append(Entry(f'{theirs}.{their_name}', f'{native}.{name}', shape))
    return tuple(entries)
