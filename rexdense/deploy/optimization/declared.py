"""What a class says of how it computes, and for which of its subclasses that holds."""

from typing import Any

from torch import nn


def declared(module: nn.Module, name: str) -> str | tuple[Any, ...] | None:
    """Return what the class of a module declares as ``name``.

    None where it declares neither a text nor a tuple, and where a subclass, or the module itself,
    has methods in place of those of the class that declares it: they may compute otherwise.

    Args:
        name: Of an attribute of the class, such as ``conv_norm_pairs``.
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
