"""Pieces of recipes that the command line adds to a config: schedule, image size, optimizer,
normalisation, cascaded heads (``configs/_base_/pieces``)."""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from rexdense.engine.config.cascade import cascade_model
from rexdense.engine.config.load import (
    class_name,
    dataloader_names,
    innermost_dataset,
    load_config,
)
from rexdense.errors import InvalidArgument, UnknownName, suggest

PIECES = Path('_base_/pieces')
"""Folder of the pieces below that of the configs."""
TRAIN_RESIZE, TEST_RESIZE = 'train_resize', 'test_resize'
"""Keys of a piece for transforms that replace those that scale images in pipelines."""
CASCADE = 'cascade'
"""Key of a piece for the arguments of :func:`~rexdense.engine.config.cascade.cascade_model`."""
_RESIZING = ('Resize', 'RandomResize', 'RandomChoiceResize')


def piece_names(config: Config) -> list[str]:
    """Return the names of the pieces beside a config."""
    folder = _folder(config)
    return sorted(path.stem for path in folder.glob('*.py')) if folder else []


def add_pieces(config: Config, pieces: Sequence[str]) -> None:
    """Merge pieces into a config. Their order does not matter, because no two may set the same
    value.

    Args:
        pieces: Names of files in :data:`PIECES`, without ``.py``, or paths.

    Raises:
        UnknownName: there is no such piece.
        InvalidArgument: two pieces, or a cascade and its file, set the same value; one is given
            twice; the config has nothing that a piece could change; or a named piece is for another
            kind of config.
    """
    set_by: dict[str, str] = {}
    for piece in pieces:
        content = copy.deepcopy(load_config(_file(config, piece))._cfg_dict)
        if CASCADE in content:
            if piece in set_by.values():
                raise InvalidArgument(f'--with {piece} {piece}: give it once')
            heads = _cascade(config, content.pop(CASCADE), piece)
            for value in _values(dict(model=heads)):
                if any(_overlap(value, other) for other in _values(content)):
                    raise InvalidArgument(
                        f'--with {piece}: {CASCADE} sets {value}, and the file sets it, too; write '
                        'a config that changes what cascade_model returns'
                    )
            content.merge(dict(model=heads))
        for value in _values(content):
            for other, name in set_by.items():
                if _overlap(value, other):
                    raise InvalidArgument(
                        f'--with {name} {piece}: both set {min(value, other, key=len)}; give one '
                        'of them'
                    )
        set_by |= dict.fromkeys(_values(content), piece)
        _put_over(config, content, piece)


def _folder(config: Config) -> Path | None:
    for parent in Path(config.filename).resolve().parents:
        if (parent / PIECES).is_dir():
            return parent / PIECES
    return None


def _file(config: Config, piece: str) -> Path:
    if piece.endswith('.py') or '/' in piece:
        return Path(piece)
    names = piece_names(config)
    if piece not in names:
        raise UnknownName(
            f'--with {piece}: '
            + (suggest(piece, names) if names else 'no pieces lie beside this config; give a path')
        )
    if 'roi_head' not in (config.get('model') or {}):
        raise InvalidArgument(
            f'--with {piece}: the pieces that have names are of recipes for Faster and Mask R-CNN, '
            f'and {config.filename} has no such model; give the path of a piece of your own'
        )
    return _folder(config) / f'{piece}.py'


def _overlap(value: str, other: str) -> bool:
    return f'{value}.'.startswith(f'{other}.') or f'{other}.'.startswith(f'{value}.')


def _values(node: dict[str, Any], prefix: str = '') -> Iterator[str]:
    """Yield the dotted names of the values that a piece sets. A section that it replaces, and the
    arguments of one class, count as one value."""
    for key, value in node.items():
        name = f'{prefix}{key}'
        is_class = isinstance(value, dict) and 'type' in value and name != 'model'
        whole = not isinstance(value, dict) or '_delete_' in value or is_class
        if whole:
            yield name
        else:
            yield from _values(value, f'{name}.')


def _cascade(config: Config, arguments: Any, piece: str) -> dict[str, Any]:
    if not isinstance(arguments, dict) or set(arguments) - {'stages'}:
        raise InvalidArgument(
            f'--with {piece}: {CASCADE}={arguments!r} is not known; give dict(stages=3)'
        )
    try:
        return cascade_model(config.get('model') or {}, **arguments)
    except InvalidArgument as error:
        raise InvalidArgument(f'--with {piece}: {error}') from error


def _put_over(config: Config, content: ConfigDict, piece: str) -> None:
    for name in (TRAIN_RESIZE, TEST_RESIZE):
        if name in content:
            _set_resizing(config, content.pop(name), name == TRAIN_RESIZE, piece)
    for section, value in content.items():
        before = config.get(section)
        fits = before is not None and (
            not isinstance(value, dict) or '_delete_' in value or isinstance(before, dict)
        )
        if not fits or (section == 'train_cfg' and not set(value) <= set(before)):
            raise InvalidArgument(
                f'--with {piece} changes {section}, which is of another kind in '
                f'{config.filename}: this piece does not go with it'
            )
    if 'backbone' in content.get('model', {}) and 'backbone' not in config.model:
        raise InvalidArgument(f'--with {piece}: the model of {config.filename} has no backbone')
    config.merge_from_dict(content)


def _set_resizing(config: Config, resize: ConfigDict, training: bool, piece: str) -> None:
    """Replace the transforms that scale images in the pipelines of training, or of evaluation."""
    for name in dataloader_names(config):
        if (name == 'train_dataloader') != training:
            continue
        pipeline = innermost_dataset(config[name]).get('pipeline') or []
        places = [place for place, step in enumerate(pipeline) if class_name(step) in _RESIZING]
        if len(places) != 1:
            raise InvalidArgument(
                f'--with {piece}: {name} has {len(places)} steps that scale images, and the piece '
                'is for one; use --cfg-options'
            )
        (place,) = places
        pipeline[place] = copy.deepcopy(resize)
