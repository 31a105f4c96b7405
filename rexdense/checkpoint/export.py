"""Export of a trained backbone as a weight file for other projects, with a sidecar."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rexdense.checkpoint.fetching import source_files
from rexdense.checkpoint.formats.writing import check_format, write_tensors
from rexdense.checkpoint.names.named_network import NamedNetwork, read_named_network
from rexdense.checkpoint.names.native import STEM_WEIGHT
from rexdense.checkpoint.report import LoadReport
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.checkpoint.sidecar import DIGEST, file_digest, sidecar_path
from rexdense.errors import UnknownName, suggest
from rexdense.files.destinations import check_destination
from rexdense.files.writing import files_written_aside

# All but zshn25/rexnet, which publishes only whole U-Nets.
BACKBONE_FORMATS = tuple(name for name in SCHEMES if name != 'zshn25')


def export_backbone(
    checkpoint: str | Path | Mapping[str, Any],
    destination: str | Path,
    names: str = 'rexdense',
    *,
    source: str | None = None,
    prefix: str | None = None,
    ema: bool | None = None,
    allow_non_finite: bool = False,
    trust_pickle: bool = False,
    overwrite: bool = False,
) -> LoadReport:
    """Write the backbone of a classifier, detector or segmentor with a project's tensor names.

    A sidecar, ``destination + '.json'``, holds the architecture, the channels and strides of its
    levels, the preprocessing of images, the origin of the weights, and the sha256 of
    ``destination``. :func:`rexdense.load_weights` reads it, too. Either both files are written or
    neither.

    Args:
        checkpoint: As for :func:`rexdense.load_weights`.
        destination: A ``.safetensors`` file, a ``.pth`` file of plain tensors, or a MindSpore
            ``.ckpt`` file.
        names: The project whose names are used, one of ``BACKBONE_FORMATS``.
        source, prefix, ema, trust_pickle: As for :func:`rexdense.load_weights`.
        allow_non_finite: Accept NaN and infinite values.
        overwrite: Replace existing files.

    Raises:
        CheckpointUnreadable: the source is not a checkpoint, is damaged, or would run code.
        CheckpointMismatch: it has no named network, or the project has no such network.
        InvalidArgument: a destination exists, is the source or cannot be written.
        UnknownName: ``names`` is not in ``BACKBONE_FORMATS``.
    """
    if names not in BACKBONE_FORMATS:
        raise UnknownName(f'no format is called {names!r}: {suggest(names, BACKBONE_FORMATS)}')
    scheme = SCHEMES[names]
    path = Path(destination).expanduser()
    check_format(path)
    for place in (path, sidecar_path(path)):
        check_destination(place, overwrite, source_files(checkpoint))
    network = read_named_network(
        checkpoint,
        source=source,
        prefix=prefix,
        ema=ema,
        allow_non_finite=allow_non_finite,
        trust_pickle=trust_pickle,
    ).body()
    tensors = network.named_by(scheme)
    said = _said_of(network, names)
    with files_written_aside(path, sidecar_path(path), overwrite=overwrite) as (weights, sidecar):
        write_tensors(
            weights, path.suffix, tensors, said if path.suffix == '.safetensors' else None
        )
        said = {'file': path.name, DIGEST: file_digest(weights), **said}
        sidecar.write(json.dumps(said, indent=2).encode() + b'\n')
    return network.report(destination, scheme, list(tensors))


def _said_of(network: NamedNetwork, names: str) -> dict[str, Any]:
    strided = network.architecture.with_output_stride(network.details.output_stride)
    return dict(
        format=names,
        **network.metadata(),
        in_channels=network.tensors[STEM_WEIGHT].shape[1],
        levels=[level._asdict() for level in strided.levels[: network.deepest_level + 1]],
        source=dict(project=network.scheme.title, file=Path(network.checkpoint).name),
    )
