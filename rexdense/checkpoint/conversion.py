"""Conversion of a checkpoint to another project's tensor names or another file format."""

from pathlib import Path

from rexdense.checkpoint.fetching import source_files
from rexdense.checkpoint.formats.writing import check_format, write_checkpoint
from rexdense.checkpoint.names.named_network import read_named_network
from rexdense.checkpoint.names.native import HEAD
from rexdense.checkpoint.names.recognition import BACKBONE_PREFIX
from rexdense.checkpoint.report import LoadReport
from rexdense.checkpoint.schemes import REXDENSE, scheme_named
from rexdense.files.destinations import check_destination


def convert_checkpoint(
    source_file: str | Path,
    destination: str | Path,
    *,
    names: str = 'rexdense',
    source: str | None = None,
    prefix: str | None = None,
    ema: bool | None = None,
    allow_non_finite: bool = False,
    trust_pickle: bool = False,
    overwrite: bool = False,
) -> LoadReport:
    """Write the network of a checkpoint with the tensor names of another project.

    Args:
        source_file: As for :func:`rexdense.load_weights`.
        destination: A ``.pth``, ``.safetensors`` or ``.ckpt`` file.
        names: The project whose names are used.
        source, prefix, ema, trust_pickle: As for :func:`rexdense.load_weights`.
        allow_non_finite: Accept NaN and infinite values.
        overwrite: Replace an existing ``destination``.

    Raises:
        CheckpointUnreadable: the source is not a checkpoint, is damaged, or would run code.
        CheckpointMismatch: it has no named network, or the project has no such network.
        InvalidArgument: the destination exists, is the source or cannot be written.
        UnknownName: no project is called ``names``.
    """
    scheme = scheme_named(names)
    destination = Path(destination).expanduser()
    check_format(destination)
    check_destination(destination, overwrite, source_files(source_file))
    network = read_named_network(
        source_file,
        source=source,
        prefix=prefix,
        ema=ema,
        allow_non_finite=allow_non_finite,
        trust_pickle=trust_pickle,
    )
    # The names of a U-Net are not those of a classifier.
    classifier = {entry.native for entry in REXDENSE.entries(network.architecture)}
    own = scheme is REXDENSE and not classifier.issuperset(network.tensors)
    tensors = network.tensors if own else network.named_by(scheme)
    if scheme is REXDENSE and any(key.startswith(HEAD) for key in network.tensors):
        tensors = {_in_classifier(key): tensor for key, tensor in tensors.items()}
    bare = scheme is not REXDENSE and destination.suffix == '.pth'
    metadata = {**network.metadata(), 'source': network.scheme.title}
    write_checkpoint(destination, tensors, None if bare else metadata, overwrite)
    return network.report(destination, scheme, list(tensors))


def _in_classifier(native: str) -> str:
    return native if native.startswith(HEAD) else BACKBONE_PREFIX + native
