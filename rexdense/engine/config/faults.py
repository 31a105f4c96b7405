"""Faults of a config that mmengine finds while it builds from it, as one line."""

import contextlib
import inspect
import re
from collections.abc import Iterator
from types import TracebackType

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from rexdense.errors import InvalidArgument, UnknownName, suggest

__all__ = ['config_faults']

# How mmengine words a type that no registry has (registry/build_functions.py).
_UNKNOWN_TYPE = re.compile(r'(\S+) is not in the [\w-]+::([\w ]+) registry')
_BUILD_FUNCTIONS = 'mmengine.registry.build_functions'


@contextlib.contextmanager
def config_faults() -> Iterator[None]:
    """Turn what building from a faulty config raises into an error with the closest names.

    Raises:
        UnknownName: a ``type`` that no registry has.
        InvalidArgument: arguments that the class named by ``type`` does not take, or misses.
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
        innermost = _innermost(error.__traceback__)
        built = innermost.tb_frame.f_locals.get('obj_cls')
        # The class was not even entered, so its arguments are at fault.
        if innermost.tb_frame.f_globals.get('__name__') != _BUILD_FUNCTIONS or built is None:
            raise
        raise InvalidArgument(f'in the config: {error}{_closest_argument(error, built)}') from error


def _registered(kind: str) -> set[str]:
    """Return the names in the registries of one kind; those of a scope with it."""
    names = set()
    for registry in vars(mmengine_registry).values():
        if isinstance(registry, Registry) and registry.name == kind:
            names.update(registry.module_dict)
            for scope, child in registry.children.items():
                names.update(f'{scope}.{name}' for name in child.module_dict)
    return names


def _innermost(traceback: TracebackType) -> TracebackType:
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback


def _closest_argument(error: TypeError, built: type) -> str:
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if not unexpected:
        return ''
    allowed = [name for name in inspect.signature(built).parameters if name != 'self']
    return f'; {suggest(unexpected[1], allowed)}'
