"""Check of values in a checkpoint's config: names of buildable classes, plain words and numbers."""

import re
from typing import Any, NamedTuple

from rexdense.engine.config.stored.classes import (
    MODEL,
    ROI_LAYER,
    SCOPES,
    SUPPRESSION,
    TASK_UTIL,
    TRANSFORM,
    TRUST,
    Kind,
    is_scope,
    may_be_built,
)
from rexdense.errors import CheckpointUnreadable, abridged

# The kind by the key of a section in a model.
_SLOTS = (
    (re.compile('nms|nms_cfg|dqs_cfg'), SUPPRESSION),
    (re.compile('roi_layer'), ROI_LAYER),
    (re.compile(r'(\w+_)?(assigner|sampler|coder|generator|calculator|costs?)'), TASK_UTIL),
)
# 'bilinear', 'rexnet_1.0', 'regnetx_3.2gf'; no separators, file endings or URLs.
_PLAIN_WORD = re.compile(r'[\w+ -]*(\.\d[\w+-]*)*')
_KEY_OF_A_FILE = re.compile(
    r'(\w+_)?(file|path|dir|root|prefix|url|uri|checkpoint|ckpt|pretrained|class_weight)'
)


def require_known_types(section: Any, where: str, kind: Kind, scope: str, source: str) -> None:
    """Raise CheckpointUnreadable, with the first fault and its place, if a section of a stored
    config names anything but buildable classes.

    Every ``type``, at any depth, must be the name of a registered class of the kind for which it is
    used, and the class must be in a package that ``kind`` lists. Other texts must be plain words,
    which name no file and no URL.

    Args:
        section: A tree of dictionaries, lists and values.
        where: Its place in the config, for messages.
        kind: Kind of its own ``type``.
        scope: A known scope, in which names without a scope are looked up.
        source: Name of the file in messages.
    """
    _Check(source).node(section, where, kind, scope)


def require_known_scope(scope: Any, source: str) -> None:
    """Raise CheckpointUnreadable unless a scope is the name of an installed package that rexdense
    depends on, which mmengine may import for its registries."""
    _Check(source).scope(scope, 'default_scope')


def require_no_types(section: Any, where: str, source: str) -> None:
    """Raise CheckpointUnreadable if a section of a stored config names a ``type`` or a scope, at
    any depth."""
    if isinstance(section, dict):
        for key, value in section.items():
            if key in ('type', '_scope_'):
                _Check(source).refuse(value, f'{where}.{key}', 'where no class may stand')
            require_no_types(value, f'{where}.{key}', source)
    elif isinstance(section, list | tuple | set):
        for index, value in enumerate(section):
            require_no_types(value, f'{where}[{index}]', source)


class _Check(NamedTuple):
    """A walk through a part of the config in a file.

    Attributes:
        source: Name of the file in messages.
    """

    source: str

    def node(self, node: Any, where: str, kind: Kind, scope: str, key: Any = None) -> None:
        if isinstance(node, dict):
            if '_scope_' in node:
                scope = node['_scope_']
                self.scope(scope, f'{where}._scope_')
            for name, value in node.items():
                place = f'{where}.{name}'
                if name == 'type':
                    self.type(value, place, kind, scope)
                elif name != '_scope_':
                    self.node(value, place, _kind_below(kind, name), scope, name)
        elif isinstance(node, list | tuple | set):
            for index, value in enumerate(node):
                self.node(value, f'{where}[{index}]', kind, scope, key)
        elif isinstance(node, str | bytes):
            self.text(node, where, key)

    def type(self, value: Any, where: str, kind: Kind, scope: str) -> None:
        if not isinstance(value, str) or not may_be_built(value, kind, scope):
            self.refuse(
                value,
                where,
                f'which is no registered {kind.title} that a stored config may build',
            )

    def scope(self, value: Any, where: str) -> None:
        if not is_scope(value):
            self.refuse(value, where, f'which is not one of the installed {", ".join(SCOPES)}')

    def text(self, value: str | bytes, where: str, key: Any) -> None:
        plain = isinstance(value, str) and _PLAIN_WORD.fullmatch(value)
        if not plain or _KEY_OF_A_FILE.fullmatch(str(key)):
            self.refuse(value, where, 'which could be a file, an address or code')

    def refuse(self, value: Any, where: str, fault: str) -> None:
        # Keys are untrusted text, too.
        place = where if where.isprintable() and len(where) < 200 else repr(where[:200])
        raise CheckpointUnreadable(
            f'the config in {self.source} says {abridged(value)} at {place}, {fault}; nothing was '
            f'built: {TRUST}'
        )


def _kind_below(kind: Kind, key: Any) -> Kind:
    """Return the kind of a section under ``key`` in a section of another kind."""
    if kind is TRANSFORM:
        return TRANSFORM
    return next((slot for names, slot in _SLOTS if names.fullmatch(str(key))), MODEL)
