"""What a checkpoint says of its weights beside their values: preprocessing, options, the run."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rexdense.arch.levels import OUTPUT_STRIDES, POOL_PADDINGS
from rexdense.checkpoint.config_text import read_config_text
from rexdense.checkpoint.preprocessing import Preprocessing
from rexdense.checkpoint.schemes import Scheme
from rexdense.errors import CheckpointUnreadable

__all__ = [
    'Details',
    'configured_options',
    'details_beside',
    'details_of',
    'details_path',
    'file_digest',
    'hidden_options',
]

# Arguments of a family's rule that the tensors do not show, and the values they may have.
_OPTIONS = {'resnext': {'pool_padding': POOL_PADDINGS}}
# What a training file of mmengine says of its run (runner/runner.py, save_checkpoint).
_RUN = ('experiment_name', 'epoch', 'iter', 'seed', 'time', 'mmengine_version')
_DIGEST = 'sha256'


@dataclasses.dataclass(frozen=True)
class Details:
    """What the tensors of a network do not show.

    Attributes:
        preprocessing: What images must become before the weights see them.
        options: Arguments of the family's rule by which the network computes what the weights were
            trained for.
        output_stride: The stride of the network that was trained.
        run: The training run, as far as the file says: its name, epoch, iteration, seed, time.
    """

    preprocessing: Preprocessing
    options: dict[str, Any]
    output_stride: int = 32
    run: dict[str, Any] = dataclasses.field(default_factory=dict)


def details_of(
    metadata: Mapping[str, Any], scheme: Scheme, family: str, checkpoint: str
) -> Details:
    """Return what a checkpoint says of itself, or else what its project publishes.

    Args:
        metadata: What rexdense wrote, or the ``meta`` of a training file of mmengine, which holds
            the config of the run.
        scheme: The project.
        family: Of the network.
        checkpoint: What error messages call it.

    Raises:
        CheckpointUnreadable: what it says makes no sense.
    """
    published = scheme.families[family]
    model = _model_of(metadata, checkpoint)
    backbone = _mapping(model.get('backbone'))
    known = _OPTIONS.get(family, {})
    written = metadata.get('options')
    if written is None:
        configured = {key: value for key, value in backbone.items() if key in known}
        written = {**published.options, **configured}
    stride = metadata.get('output_stride', backbone.get('output_stride', 32))
    if not isinstance(written, Mapping) or any(
        value not in known.get(key, ()) for key, value in written.items()
    ):
        raise CheckpointUnreadable(
            f'{checkpoint} says options={written!r} of its {family}: allowed are {known or "none"}'
        )
    if stride not in OUTPUT_STRIDES:
        raise CheckpointUnreadable(
            f'{checkpoint} says output_stride={stride!r}: allowed are 8, 16 and 32'
        )
    normalisation = _mapping(model.get('data_preprocessor'))
    try:
        preprocessing = _preprocessing(metadata, normalisation, published.preprocessing)
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointUnreadable(
            f'{checkpoint} says of its preprocessing what cannot be read ({error})'
        ) from error
    run = _mapping(metadata.get('run'))
    run = run or {key: metadata[key] for key in _RUN if _is_plain(metadata.get(key))}
    return Details(preprocessing, dict(written), stride, dict(run))


def configured_options(metadata: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Return the options of the backbone that the config in a training file states."""
    backbone = _mapping(_model_of(metadata, 'the checkpoint').get('backbone'))
    known = _OPTIONS.get(family, {})
    return {key: value for key, value in backbone.items() if value in known.get(key, ())}


def hidden_options(backbone: nn.Module) -> dict[str, Any]:
    """Return the arguments of a backbone that its tensors do not show."""
    return {key: getattr(backbone, key) for key in _OPTIONS.get(backbone.architecture.family, ())}


def _preprocessing(
    metadata: Mapping[str, Any], normalisation: Mapping[str, Any], published: Preprocessing
) -> Preprocessing:
    written = metadata.get('preprocessing')
    if written is not None:
        return Preprocessing.from_dict(written)
    if normalisation.get('mean') is None or normalisation.get('std') is None:
        return published
    return Preprocessing.from_data_preprocessor(normalisation, published)


def _model_of(metadata: Mapping[str, Any], checkpoint: str) -> Mapping[str, Any]:
    """Return the section ``model`` of the config of the run that made a file; empty without one."""
    text = metadata.get('cfg')
    if not isinstance(text, str):
        return {}
    try:
        return _mapping(read_config_text(text, checkpoint).get('model'))
    except CheckpointUnreadable:
        # The weights are as good without it: other programs store other texts.
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def details_path(path: str | Path) -> Path:
    """Return where the details of a weights file lie: ``FILE.json``, the suffix appended.

    So ``a.pth`` and ``a.safetensors`` can stand in one folder.
    """
    path = Path(path)
    return path.with_name(f'{path.name}.json')


def details_beside(path: Path) -> dict[str, Any]:
    """Return what the JSON file beside a weights file says of it; empty without such a file.

    Raises:
        CheckpointUnreadable: it was written for other weights, or these were damaged since.
    """
    beside = details_path(path)
    try:
        details = json.loads(beside.read_bytes()) if path.is_file() and beside.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(details, dict) or _DIGEST not in details:
        return {}
    with path.open('rb') as file:
        found = file_digest(file)
    if details[_DIGEST] != found:
        raise CheckpointUnreadable(
            f'{path} has the sha256 {found[:12]}..., {beside.name} was written for '
            f'{str(details[_DIGEST])[:12]}...: copy the two again, or delete {beside.name} if it '
            'belongs to other weights'
        )
    return details


def file_digest(file: Any) -> str:
    """Return the sha256 of an open file's content."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(2**20):
        digest.update(chunk)
    return digest.hexdigest()
