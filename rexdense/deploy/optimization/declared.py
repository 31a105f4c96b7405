"""Class attributes that describe the computation, and the subclasses for which they hold."""

from typing import Any

from torch import nn


def declared(module: nn.Module, name: str) -> str | tuple[Any, ...] | None:
    """Return the class attribute ``name`` of a module.

    None if it is neither a string nor a tuple, or if a subclass or the module itself overrides
    methods of the class that defines it: they may compute something else.

    Args:
        name: Name of the attribute, such as ``conv_norm_pairs``.
    """
    replaced = set(vars(module))
    for kind in type(module).__mro__:
        if name in vars(kind):
            methods = {key for key, value in vars(kind).items() if _is_method(key, value)}
            found = getattr(module, name)
            holds = isinstance(found, str | tuple) and not replaced & {'forward', *methods}
            return found if holds else None
        replaced |= set(vars(kind))
    return None


def _is_method(name: str, value: Any) -> bool:
    return callable(value) and not name.startswith('__') and name != 'extra_repr'
