"""One checkpoint file into another: other names, another format."""

import dataclasses
from pathlib import Path

from rexdense.arch import architecture
from rexdense.checkpoint.fetching import open_checkpoint
from rexdense.checkpoint.finite import check_finite
from rexdense.checkpoint.identification import identify, recognise
from rexdense.checkpoint.native import HEAD
from rexdense.checkpoint.preprocessing import preprocessing_of
from rexdense.checkpoint.recognition import BACKBONE_PREFIX
from rexdense.checkpoint.renaming import from_native, to_native
from rexdense.checkpoint.report import LoadReport
from rexdense.checkpoint.schemes import REXDENSE, scheme_named
from rexdense.checkpoint.writing import check_destination, write_checkpoint

__all__ = ['convert_checkpoint']


def convert_checkpoint(
    source_file: str | Path,
    destination: str | Path,
    *,
    names: str = 'rexdense',
    source: str | None = None,
    prefix: str | None = None,
    averaged: bool = False,
    allow_non_finite: bool = False,
    trust_pickle: bool = False,
    overwrite: bool = False,
) -> LoadReport:
    """Write the network of a checkpoint under other names, and say what became of its tensors.

    Args:
        source_file: As for :func:`rexdense.load_weights`.
        destination: A ``.pth``, ``.safetensors`` or ``.ckpt`` file.
        names: The project whose names are written.
        source: The project whose names the checkpoint bears; None finds it.
        prefix: What stands before the network's names, where the checkpoint holds several.
        averaged: Take the running average that a training file may hold.
        allow_non_finite: Write NaN and infinite values.
        trust_pickle: Let a pickle run any code it names. Only for files whose maker is trusted.
        overwrite: Replace ``destination``.

    Raises:
        CheckpointUnreadable: the source is no checkpoint, is damaged, or wants to run code.
        CheckpointMismatch: it holds no named network, or a network that the project has not.
        InvalidArgument: the destination exists or cannot be written.
        UnknownName: no project is called so.
    """
    scheme = scheme_named(names)
    check_destination(destination, overwrite)
    checkpoint, state = open_checkpoint(source_file, averaged, trust_pickle)
    found = recognise(state.tensors, source, prefix, checkpoint)
    name = identify(state.tensors, found.scheme.name, found.prefix)
    network = architecture(name)
    native = to_native(state.tensors, found, network)
    if not allow_non_finite:
        check_finite(checkpoint, native)
    # A U-Net has the names of no classifier.
    classifier = {entry.native for entry in REXDENSE.entries(network)}
    own = scheme is REXDENSE and not classifier.issuperset(native)
    tensors = native if own else from_native(native, scheme, network)
    if scheme is REXDENSE and any(key.startswith(HEAD) for key in native):
        tensors = {_in_classifier(key): tensor for key, tensor in tensors.items()}

    family = found.scheme.families[network.family]
    report = LoadReport(checkpoint, found.scheme.title, name)
    report.preprocessing = preprocessing_of(state.metadata, family.preprocessing)
    report.loaded = list(tensors)
    held = {found.name_of(entry) for entry in found.scheme.entries(network)}
    report.dropped = [key for key in state.tensors if key not in held]
    metadata = dict(
        architecture=name,
        source=found.scheme.title,
        preprocessing=dataclasses.asdict(report.preprocessing),
        options=dict(state.metadata.get('options', family.options)),
    )
    bare = scheme is not REXDENSE and Path(destination).suffix == '.pth'
    write_checkpoint(destination, tensors, None if bare else metadata, overwrite)
    report.notes.append(f'written to {destination} with the names of {scheme.title}')
    return report


def _in_classifier(native: str) -> str:
    return native if native.startswith(HEAD) else BACKBONE_PREFIX + native
