"""Details of weights that the tensors do not show: preprocessing, options, the training run."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rexdense.arch.levels import OUTPUT_STRIDES, POOL_PADDINGS
from rexdense.arch.named import ARCHITECTURES, rule_arguments
from rexdense.checkpoint.formats.config_text import read_config_text
from rexdense.checkpoint.preprocessing import Preprocessing
from rexdense.checkpoint.schemes import Scheme
from rexdense.errors import CheckpointUnreadable

# Arguments of a family's rule that the tensors do not show, with their allowed values.
_OPTIONS = {'resnext': {'pool_padding': POOL_PADDINGS}}
BUILT_FROM = 'built_from'
"""The key of the arguments from which a network without a name is built, in files with weights."""
# Entries of an mmengine training file about its run (runner/runner.py, save_checkpoint).
_RUN = ('experiment_name', 'epoch', 'iter', 'seed', 'time', 'mmengine_version')
# Exceptions that values of the wrong kind, such as tensors, raise.
_FAULTS = (TypeError, ValueError, KeyError, OverflowError, RuntimeError)


@dataclasses.dataclass(frozen=True)
class Details:
    """Details of a network that its tensors do not show.

    Attributes:
        preprocessing: The preprocessing of images for these weights.
        options: Arguments of the family's rule with which the weights were trained.
        output_stride: The stride of the trained network.
        run: The training run, as far as it is recorded: its name, epoch, iteration, seed, time.
    """

    preprocessing: Preprocessing
    options: dict[str, Any]
    output_stride: int = 32
    run: dict[str, Any] = dataclasses.field(default_factory=dict)


def details_of(
    metadata: Mapping[str, Any], scheme: Scheme, family: str, checkpoint: str
) -> Details:
    """Return a checkpoint's own details, or else those that its project publishes; raise
    CheckpointUnreadable if its own are invalid.

    Args:
        metadata: The metadata that rexdense wrote, or ``meta`` of an mmengine training file with
            the config of the run.
        scheme: The project.
        family: The network's family.
        checkpoint: The checkpoint's name in error messages.
    """
    try:
        return _details_of(metadata, scheme, family, checkpoint)
    except _FAULTS as error:
        raise CheckpointUnreadable(
            f'{checkpoint} says of its options what cannot be read ({error})'
        ) from error


def _details_of(
    metadata: Mapping[str, Any], scheme: Scheme, family: str, checkpoint: str
) -> Details:
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
    except _FAULTS as error:
        raise CheckpointUnreadable(
            f'{checkpoint} says of its preprocessing what cannot be read ({error})'
        ) from error
    said = _mapping(metadata.get('run')) or metadata
    run = {key: said[key] for key in _RUN if isinstance(said.get(key), str | int | float)}
    return Details(preprocessing, dict(written), stride, run)


def configured_network(
    metadata: Mapping[str, Any], checkpoint: str
) -> tuple[str, dict[str, Any]] | None:
    """Return the name and the overridden rule arguments from which a checkpoint's network was
    built, from the config of the run or from the sidecar; None if neither has them."""
    said = _mapping(metadata.get(BUILT_FROM)) or _mapping(
        _model_of(metadata, checkpoint).get('backbone')
    )
    name = said.get('arch')
    if not isinstance(name, str) or name not in ARCHITECTURES:
        return None
    arguments = rule_arguments(type(ARCHITECTURES[name]))
    return name, {key: said[key] for key in arguments if key in said}


def configured_options(metadata: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Return the backbone's options in the config of a training file."""
    backbone = _mapping(_model_of(_mapping(metadata), 'the checkpoint').get('backbone'))
    known = _OPTIONS.get(family, {})
    return {key: value for key, value in backbone.items() if value in known.get(key, ())}


def taught_classes(content: Mapping[str, Any], source: str | Path) -> tuple[str, ...] | None:
    """Return the class names in a training file, in the order of the labels; None if it has none.
    Raise CheckpointUnreadable if the entry is not a list of names.

    Args:
        content: The content of the file.
        source: The file's name in messages.
    """
    data = _mapping(_mapping(content.get('meta')).get('dataset_meta'))
    # The spelling of mmdet 3's release candidates.
    classes = data.get('classes', data.get('CLASSES'))
    if classes is None:
        return None
    if not isinstance(classes, tuple | list) or not all(map(_is_name, classes)):
        raise CheckpointUnreadable(
            f'{source} has something else where a training file has a list of class names: give a '
            'checkpoint that rexdense train has written'
        )
    return tuple(map(str, classes))


def _is_name(value: Any) -> bool:
    """Return whether this can be shown and written as a class name: a string may hold lone
    surrogates."""
    if not isinstance(value, str | int):
        return False
    try:
        str(value).encode()
    except ValueError:
        return False
    return True


def taught_palette(
    content: Mapping[str, Any], source: str | Path
) -> tuple[tuple[int, int, int], ...] | None:
    """Return the colours (R, G, B), 0 to 255, of a training file's classes; None if it does not
    have one for each. It raises like :func:`taught_classes`."""
    number = len(taught_classes(content, source) or ())
    palette: Any = _mapping(_mapping(content.get('meta')).get('dataset_meta')).get('palette')
    try:
        colours = [(int(red), int(green), int(blue)) for red, green, blue in palette][:number]
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
    fit = all(0 <= part <= 255 for colour in colours for part in colour)
    return tuple(colours) if fit and len(colours) == number > 0 else None


def hidden_options(backbone: Any) -> dict[str, Any]:
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
    """Return the ``model`` section in the config of the run; empty if there is none."""
    text = metadata.get('cfg')
    if not isinstance(text, str):
        return {}
    try:
        return _mapping(read_config_text(text, checkpoint).get('model'))
    except CheckpointUnreadable:
        # The weights are usable without it: other programs store other texts.
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
