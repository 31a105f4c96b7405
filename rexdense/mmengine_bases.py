"""mmengine's base classes, or stand-ins if mmengine is not installed.

Networks, weights and graphs need only torch. With mmengine installed, they are also mmengine
modules in its registries. The stand-ins raise MissingDependency for everything that needs mmengine.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from torch import nn

from rexdense.dependencies import needed_packages

_Class = TypeVar('_Class', bound=type)


def _require_mmengine(purpose: str) -> None:
    """Raise MissingDependency with the command that installs mmengine."""
    with needed_packages(purpose):
        import mmengine  # noqa: F401 - where a stand-in asks, it is not there


class PlainModule(nn.Module):
    """A stand-in for ``mmengine.model.BaseModule``.

    Args:
        init_cfg: Initialisation of the weights, which needs mmengine; None keeps torch's.

    Raises:
        MissingDependency: ``init_cfg`` is given.
    """

    def __init__(self, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__()
        if init_cfg is not None:
            _require_mmengine(f'init_cfg={init_cfg} (rexdense.load_weights fills a network too)')


class PlainRegistry:
    """A stand-in for ``mmengine.registry.Registry`` with only the classes of rexdense.

    Attributes:
        module_dict: The registered classes by name.
    """

    def __init__(self, name: str, **settings: Any) -> None:
        self.name = name
        self.module_dict: dict[str, type] = {}

    def register_module(self) -> Callable[[_Class], _Class]:
        """Return a decorator that registers a class under its own name."""

        def register(kind: _Class) -> _Class:
            self.module_dict[kind.__name__] = kind
            return kind

        return register

    def get(self, name: str) -> type | None:
        """Return the class with a name such as 'ReXNet' or 'rexdense.ReXNet'; None if there is
        none."""
        return self.module_dict.get(name.removeprefix('rexdense.'))

    def build(self, config: dict[str, Any]) -> Any:
        """Build an instance of a class of rexdense from its config. Raise MissingDependency for a
        class of another package."""
        settings = dict(config)
        kind = settings.pop('type')
        found: Any = self.get(kind) if isinstance(kind, str) else kind
        if found is None:
            _require_mmengine(f'the {self.name} {config["type"]!r}')
        return found(**settings)

    def switch_scope_and_registry(self, scope: str | None) -> Any:
        """Raise MissingDependency: a search in the registries of several packages needs
        mmengine."""
        _require_mmengine(f'finding a {self.name} by its name in a config')


class PlainHistory:
    """A stand-in for mmengine's history of a value in training checkpoints; it keeps nothing."""

    min = max = current = mean = None

    def __setstate__(self, state: Any) -> None:
        """Ignore the stored state."""


if TYPE_CHECKING:
    BaseModule = PlainModule
    HistoryBuffer = PlainHistory
    Registry = PlainRegistry
    _parents: Any = None
else:
    try:
        from mmengine import registry as _parents
        from mmengine.logging import HistoryBuffer
        from mmengine.model import BaseModule
        from mmengine.registry import Registry
    except ModuleNotFoundError as error:
        if error.name != 'mmengine':
            raise
        BaseModule, HistoryBuffer, Registry = PlainModule, PlainHistory, PlainRegistry
        _parents = None


def parent_registry(name: str) -> Any:
    """Return mmengine's registry with this name; None without mmengine."""
    return None if _parents is None else getattr(_parents, name)
