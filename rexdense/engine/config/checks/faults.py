"""Errors of mmengine about faulty configs, as one line with the closest names."""

import contextlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from rexdense.errors import InvalidArgument, UnknownName, suggest

# mmengine's message about a type that no registry has (registry/build_functions.py).
_UNKNOWN_TYPE = re.compile(r'(\S+) is not in the [\w-]+::([\w ]+) registry')
# Python's message about unexpected or missing arguments of a class.
_WRONG_ARGUMENTS = re.compile(
    r"(.+)\.__init__\(\) (?:missing \d|got an unexpected keyword argument '(\w+)')"
)
# mmengine's message about a value of the wrong kind: a hook, a scheduler, a transform.
_WRONG_KIND = re.compile(r'[^\n]*\b(?:should be|must be|only accepts?)\b[^\n]* but got ')


@contextlib.contextmanager
def config_faults() -> Iterator[None]:
    """Turn errors of building from a faulty config into errors with the closest names.

    Raises:
        UnknownName: a ``type`` that no registry has.
        InvalidArgument: unexpected or missing arguments of the class in ``type``, or a value for
            which mmengine needs sections.
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
    """Raise UnknownName for an unregistered optimizer in the config of an optimizer wrapper, which
    mmengine does not check."""
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
    """Yield all registries with the prefix of their names, such as 'mmdet.' for mmdet's."""
    for registry in vars(mmengine_registry).values():
        if isinstance(registry, Registry):
            yield '', registry
            yield from ((f'{scope}.', child) for scope, child in registry.children.items())


def _registered(kind: str) -> set[str]:
    """Return the names in the registries of one kind, with the prefix of their scope."""
    return {
        scope + name
        for scope, registry in _registries()
        if registry.name == kind
        for name in registry.module_dict
    }


def _registered_class(name: str) -> type | None:
    """Return the class with a qualified name, if it is registered or a base of a registered
    class."""
    for _, registry in _registries():
        for registered in registry.module_dict.values():
            for base in getattr(registered, '__mro__', ()):
                if base.__qualname__ == name and base is not object:
                    return base
    return None
