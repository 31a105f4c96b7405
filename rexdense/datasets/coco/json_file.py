"""Reading a COCO annotation file as JSON, and the checks of its form."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rexdense.datasets.coco.cleaning import number_of
from rexdense.datasets.file_names import not_a_file
from rexdense.errors import DataError, some_of

LISTS = ('images', 'annotations', 'categories')
_FORM = 'a COCO annotation file is an object with the lists images, annotations and categories'


def read_json(path: Path) -> Any:
    """Return the content of an annotation file; raise DataError if it cannot be read or is not
    complete JSON."""
    return _parse(path, _read(path))


def check_form(
    path: Path,
    content: Any,
    need_annotations: bool = True,
    classes: Sequence[str] | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Check the form of COCO annotations and the uniqueness of their ids. Return the content and
    the names of the categories that were dropped as mere super-categories.

    The right form has three lists. Every image has ``id``, ``file_name`` and a size in pixels;
    every category has ``id`` and a ``name`` of its own; every annotation has ``id``, ``image_id``
    and ``category_id``. Ids are whole numbers or strings, and 7 and '7' are the same id. Sizes may
    be written as text.

    A root is a category without annotations and without a super-category that is the super-category
    of others, as Roboflow writes one for its project. It is no class.

    Args:
        path: the source of the content, for messages.
        need_annotations: whether the list of annotations is required. The files of COCO's test
            images have none; the result then has an empty list.
        classes: Names of the requested classes; a root with one of these names is kept.

    Raises:
        DataError: the content is not of this form.
    """
    if not isinstance(content, dict):
        kind = 'list' if isinstance(content, list) else type(content).__name__
        raise DataError(f'{path} is not COCO: its JSON is a {kind}; {_FORM}')
    if not need_annotations:
        content.setdefault('annotations', [])
    missing = [key for key in LISTS if not isinstance(content.get(key), list)]
    if missing:
        found = ', '.join(map(repr, list(content)[:8])) or 'nothing'
        raise DataError(
            f'{path} is not COCO: it lacks the list {" and ".join(map(repr, missing))} '
            f'(found {found}); {_FORM}'
        )
    _check_entries(path, content['images'], 'images', ('id', 'file_name', 'width', 'height'))
    _check_entries(path, content['categories'], 'categories', ('id', 'name'))
    _check_entries(path, content['annotations'], 'annotations', ('id', 'image_id', 'category_id'))
    _check_text(path, content)
    _check_image_entries(path, content['images'])
    roots = _roots(content, classes or ())
    content['categories'] = [
        category for category in content['categories'] if not any(category is r for r in roots)
    ]
    names = [str(category['name']) for category in content['categories']]
    _check_unique(path, names, 'category name', 'give each category a name of its own')
    return content, [str(root['name']) for root in roots]


def id_key(value: Any) -> str | None:
    """Return the common form of all spellings of an id (7, 7.0 and '7'); None if it is no id."""
    if type(value) is int:  # most are; a file has millions
        return str(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int | str) else None


def _read(path: Path) -> bytes:
    if not path.is_dir() and (other := not_a_file(path)):
        raise DataError(f'annotation file {path} {other}; give the path of a JSON file')
    try:
        return path.read_bytes()
    except FileNotFoundError:
        message = f'annotation file {path} is not there'
        beside = sorted(other.name for other in path.parent.glob('*.json'))
        if beside:
            message += f'; its folder has {some_of(beside)}'
        elif not path.parent.is_dir():
            message += f', nor is its folder {path.parent}'
        raise DataError(f'{message}; give the path of a COCO annotation file') from None
    except IsADirectoryError:
        raise DataError(
            f'annotation file {path} is a folder; give the path of a JSON file'
        ) from None
    except OSError as error:
        raise DataError(f'annotation file {path} cannot be read: {error.strerror}') from error


def _parse(path: Path, content: bytes) -> Any:
    try:
        text = content.decode('utf-8-sig')
        return json.loads(text)
    except UnicodeDecodeError:
        raise DataError(
            f'annotation file {path} is not UTF-8 text; a COCO annotation file is plain JSON'
        ) from None
    except json.JSONDecodeError as error:
        # An unterminated string is reported at its start, other truncation at the end.
        cut_off = not text[error.pos :].strip() or error.msg.startswith('Unterminated')
        fault = 'is cut off' if cut_off else 'is not valid JSON'
        raise DataError(
            f'annotation file {path} {fault} at line {error.lineno}, column {error.colno} '
            f'({error.msg}); copy or export it again'
        ) from None
    # Unlimited nesting of lists, and numbers longer than Python reads.
    except (RecursionError, ValueError) as error:
        raise DataError(
            f'annotation file {path} is not valid JSON ({" ".join(str(error).split())[:80]}); copy '
            'or export it again'
        ) from None


def _check_entries(
    path: Path, entries: Sequence[Any], kind: str, required: tuple[str, ...]
) -> None:
    """Check that every entry is an object with the keys ``required`` and a unique id."""
    broken = [index for index, entry in enumerate(entries) if not isinstance(entry, dict)]
    if broken:
        raise DataError(
            f'{path} is not COCO: {len(broken)} of its {len(entries)} {kind} are no objects, '
            f'the first at place {broken[0]}; {_FORM}'
        )
    for key in required:
        lacking = [index for index, entry in enumerate(entries) if entry.get(key) is None]
        if lacking:
            raise DataError(
                f'{path} is not COCO: {len(lacking)} of its {len(entries)} {kind} have no '
                f'{key!r}, the first at place {lacking[0]}; each needs {", ".join(required)}'
            )
    if kind != 'annotations' and not entries:
        raise DataError(f'{path}: its list of {kind} is empty; there is nothing to learn from')
    keys = [id_key(entry['id']) for entry in entries]
    if None in keys:
        value = entries[keys.index(None)]['id']
        raise DataError(
            f'{path}: the id {value!r} among its {kind} is neither a whole number nor a string'
        )
    singular = {'images': 'image', 'annotations': 'annotation', 'categories': 'category'}[kind]
    _check_unique(path, keys, f'{singular} id', f'number its {kind} anew')


def _check_unique(path: Path, keys: Sequence[str], what: str, remedy: str) -> None:
    if len(set(keys)) == len(keys):
        return
    seen: set[str] = set()
    repeated = dict.fromkeys(key for key in keys if key in seen or seen.add(key))
    raise DataError(
        f'{path}: {what} {some_of(repeated)} occurs more than once; ids and names are unique '
        f'in COCO: {remedy}, or export the file again'
    )


def _check_text(path: Path, content: dict[str, Any]) -> None:
    """Check that names are text. JSON can spell surrogate halves, which cannot be displayed or
    occur in a file name."""
    for kind, key in (('images', 'file_name'), ('categories', 'name')):
        for entry in content[kind]:
            try:
                str(entry[key]).encode()
            except UnicodeEncodeError:
                raise DataError(
                    f'{path}: {key} {ascii(entry[key])[:60]} among its {kind} is no text: it has '
                    'half of a character; mend it, or export the file again'
                ) from None


def _check_image_entries(path: Path, images: Sequence[dict]) -> None:
    for image in images:
        name = image['file_name']
        if not isinstance(name, str) or not name:
            raise DataError(f'{path}: image {image["id"]!r} has file_name {name!r}; give a path')
        for key in ('width', 'height'):
            pixels = number_of(image[key])
            if pixels is None or pixels < 1:
                raise DataError(
                    f'{path}: image {name!r} has {key} {image[key]!r}; give the number of pixels'
                )
            image[key] = pixels


def _roots(content: dict[str, Any], wanted: Sequence[str]) -> list[dict]:
    """Return the categories that are only super-categories, without those whose name is a requested
    class."""
    used = {id_key(entry['category_id']) for entry in content['annotations']}
    categories = content['categories']
    names = [str(category['name']) for category in categories]
    roots = []
    for category, name in zip(categories, names, strict=True):
        heads = any(
            other is not category and other.get('supercategory') == category['name']
            for other in categories
        )
        is_top = category.get('supercategory') in (None, '', 'none')
        kept = name in wanted and names.count(name) == 1
        if heads and is_top and id_key(category['id']) not in used and not kept:
            roots.append(category)
    return roots
