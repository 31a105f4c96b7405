"""Errors of mmengine about a faulty config, as one line with the closest names."""

import contextlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from rexdense.errors import InvalidArgument, UnknownName, suggest

# How mmengine words a type that no registry has (registry/build_functions.py).
_UNKNOWN_TYPE = re.compile(r'(\S+) is not in the [\w-]+::([\w ]+) registry')
# How Python words arguments that a class does not take, or misses.
_WRONG_ARGUMENTS = re.compile(
    r"(.+)\.__init__\(\) (?:missing \d|got an unexpected keyword argument '(\w+)')"
)
# How mmengine words a value of another kind than it takes: a hook, a scheduler, a transform.
_WRONG_KIND = re.compile(r'[^\n]*\b(?:should be|must be|only accepts?)\b[^\n]* but got ')


@contextlib.contextmanager
def config_faults() -> Iterator[None]:
    """Turn what building from a faulty config raises into an error with the closest names.

    Raises:
        UnknownName: a ``type`` that no registry has.
        InvalidArgument: arguments that the class named by ``type`` does not take, or misses, or a
            value where mmengine takes sections.
    """
    try:
        yield
    except KeyError as error:
        found = _UNKNOWN_TYPE.search(str(error))
        if not found:
            raise
        name, kind = found[1].strip('\'"'), found[2]
        raise UnknownName(
            f'no {kind} is called {name!r}: {suggest(name, _registered(kind))}'
        ) from error
    except TypeError as error:
        found = _WRONG_ARGUMENTS.match(str(error))
        built = found and _registered_class(found[1])
        if not built and _WRONG_KIND.match(str(error)):
            raise InvalidArgument(f'in the config: {error}'.replace('\n', ' ')) from error
        if not built:
            raise
        closest = f'; {suggest(found[2], inspect.signature(built).parameters)}' if found[2] else ''
        raise InvalidArgument(f'in the config: {error}{closest}') from error


def require_known_optimizers(wrapper: Any) -> None:
    """Raise UnknownName for an optimizer in the config of an optimizer wrapper that is not
    registered; mmengine looks it up without asking."""
    if not isinstance(wrapper, Mapping):
        return
    for section in wrapper.values():
        require_known_optimizers(section)
    optimizer = wrapper.get('optimizer')
    name = optimizer.get('type') if isinstance(optimizer, Mapping) else None
    if isinstance(name, str) and mmengine_registry.OPTIMIZERS.get(name) is None:
        raise UnknownName(
            f'no optimizer is called {name!r}: {suggest(name, _registered("optimizer"))}'
        )


def _registries() -> Iterator[tuple[str, Registry]]:
    """Yield all registries, each with the prefix of its names: that of mmdet's is 'mmdet.'."""
    for registry in vars(mmengine_registry).values():
        if isinstance(registry, Registry):
            yield '', registry
            yield from ((f'{scope}.', child) for scope, child in registry.children.items())


def _registered(kind: str) -> set[str]:
    """Return the names in the registries of one kind; those of a scope with it."""
    return {
        scope + name
        for scope, registry in _registries()
        if registry.name == kind
        for name in registry.module_dict
    }


def _registered_class(name: str) -> type | None:
    """Return the class of that qualified name that is registered, or that a registered one is
    built on."""
    for _, registry in _registries():
        for registered in registry.module_dict.values():
            for base in getattr(registered, '__mro__', ()):
                if base.__qualname__ == name and base is not object:
                    return base
    return None
