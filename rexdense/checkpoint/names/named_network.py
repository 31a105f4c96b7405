"""The network of any project's checkpoint, with rexdense's tensor names."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from rexdense.arch import Architecture, architecture
from rexdense.checkpoint.details import BUILT_FROM, Details, configured_network, details_of
from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.formats.finite import check_values
from rexdense.checkpoint.formats.unwrapping import StateDict
from rexdense.checkpoint.names.identification import fits, identify, recognise
from rexdense.checkpoint.names.native import HEAD, level_of
from rexdense.checkpoint.names.recognition import Recognised
from rexdense.checkpoint.names.renaming import from_native, to_native
from rexdense.checkpoint.report import LoadReport
from rexdense.checkpoint.schemes import Scheme
from rexdense.errors import CheckpointMismatch, InvalidArgument


class FoundNetwork(NamedTuple):
    """The network in a checkpoint.

    Attributes:
        name: A named network.
        overrides: Arguments of its family's rule that differ from the named network's; empty for
            the named network itself.
    """

    name: str
    overrides: dict[str, Any]

    @property
    def architecture(self) -> Architecture:
        """The network's architecture."""
        return architecture(self.name, **self.overrides)

    def __str__(self) -> str:
        if not self.overrides:
            return self.name
        changes = ', '.join(f'{key}={value!r}' for key, value in self.overrides.items())
        return f'{self.name} with {changes}'

    def described(self) -> dict[str, Any]:
        """Return the JSON entries that identify the network."""
        if not self.overrides:
            return dict(architecture=self.name)
        return {'architecture': None, BUILT_FROM: dict(arch=self.name, **self.overrides)}


def find_network(state: StateDict, found: Recognised, checkpoint: str) -> FoundNetwork:
    """Return the network in a checkpoint: a named one with its shapes, or the one that the config
    of the run or the sidecar describes. Raise CheckpointMismatch if there is neither.

    Args:
        checkpoint: The checkpoint's name in error messages.
    """
    try:
        name = identify(state.tensors, found.scheme.name, found.prefix, checkpoint)
    except CheckpointMismatch:
        configured = configured_network(state.metadata, checkpoint)
        if configured is None:
            raise
        network = FoundNetwork(*configured)
        try:
            fitting = fits(state.tensors, found, network.architecture)
        except InvalidArgument:  # the description is from an unchecked file
            fitting = False
        if not fitting:
            raise
        return network
    return FoundNetwork(name, {})


@dataclasses.dataclass(frozen=True)
class NamedNetwork:
    """The weights of a network with their details.

    Attributes:
        checkpoint: The checkpoint that was read.
        scheme: The project whose names it uses.
        network: The network.
        tensors: Tensors with rexdense's names, in rexdense's order; names of the head begin with
            'head.'.
        called: The checkpoint's name of each tensor.
        left_out: Names in the checkpoint outside the network.
        details: Details that the tensors do not show.
        note: What else the checkpoint holds: EMA weights, or the last ones.
    """

    checkpoint: str
    scheme: Scheme
    network: FoundNetwork
    tensors: dict[str, Tensor]
    called: dict[str, str]
    left_out: tuple[str, ...]
    details: Details
    note: str = ''

    @property
    def architecture(self) -> Architecture:
        """The network's architecture."""
        return architecture(self.network.name, **{**self.network.overrides, **self.details.options})

    @property
    def deepest_level(self) -> int:
        """The index of the deepest level in the checkpoint."""
        return max(map(level_of, self.tensors))

    def body(self) -> 'NamedNetwork':
        """Return the network without its head."""
        body = {key: value for key, value in self.tensors.items() if not key.startswith(HEAD)}
        head = (self.called[key] for key in self.tensors if key not in body)
        return dataclasses.replace(self, tensors=body, left_out=(*self.left_out, *head))

    def named_by(self, scheme: Scheme) -> dict[str, Tensor]:
        """Return the tensors with a project's names, in its order; raise CheckpointMismatch if it
        has no such network."""
        return from_native(self.tensors, scheme, self.architecture)

    def report(self, destination: str | Path, scheme: Scheme, loaded: list[str]) -> LoadReport:
        """Return the report of writing the network with a project's names."""
        report = LoadReport(
            self.checkpoint,
            self.scheme.title,
            str(self.network),
            loaded=loaded,
            dropped=list(self.left_out),
            preprocessing=self.details.preprocessing,
        )
        if self.note:
            report.notes.append(self.note)
        report.notes.append(f'written to {destination} with the names of {scheme.title}')
        theirs = scheme.families[self.architecture.family]
        for option, value in self.details.options.items():
            if value != theirs.options.get(option, value):
                report.notes.append(
                    f'trained with {option}={value!r}, {scheme.title} computes with '
                    f'{theirs.options[option]!r}: its outputs will differ'
                )
        wanted, usual = self.details.preprocessing, theirs.preprocessing
        if wanted.channel_order != usual.channel_order:
            report.notes.append(
                f'trained on {wanted.channel_order} images, {scheme.title} mostly gives '
                f'{usual.channel_order}: turn the channels there'
            )
        return report

    def metadata(self) -> dict[str, Any]:
        """Return metadata for a file of the weights, in plain values."""
        return dict(
            **self.network.described(),
            preprocessing=dataclasses.asdict(self.details.preprocessing),
            options=self.details.options,
            output_stride=self.details.output_stride,
            run=self.details.run,
        )


def read_named_network(
    checkpoint: str | Path | Mapping[str, Any],
    *,
    source: str | None = None,
    prefix: str | None = None,
    ema: bool | None = None,
    allow_non_finite: bool = False,
    trust_pickle: bool = False,
) -> NamedNetwork:
    """Read a checkpoint and identify its network.

    The arguments are those of :func:`rexdense.load_weights`.

    Raises:
        CheckpointUnreadable: the source is not a checkpoint, is damaged, or would run code.
        CheckpointMismatch: it has no network that is named or described, or has values that cannot
            be weights.
        UnknownName: no project is called ``source``.
    """
    checkpoint_name, state = open_checkpoint(checkpoint, ema, trust_pickle)
    found = recognise(state.tensors, source, prefix, checkpoint_name)
    which = find_network(state, found, checkpoint_name)
    network = which.architecture
    native = to_native(state.tensors, found, network)
    check_values(checkpoint_name, native, allow_non_finite)
    called = {entry.native: found.name_of(entry) for entry in found.scheme.entries(network)}
    held = set(called.values())
    left_out = tuple(key for key in state.tensors if key not in held)
    details = details_of(state.metadata, found.scheme, network.family, checkpoint_name)
    return NamedNetwork(
        checkpoint_name, found.scheme, which, native, called, left_out, details, state.note
    )
