"""The backbone in the module into which a checkpoint is loaded."""

import dataclasses
import functools

from torch import Tensor, nn

from rexdense.arch import Architecture
from rexdense.checkpoint.formats.unwrapping import INNER_WRAPPERS, OUTER_WRAPPER
from rexdense.checkpoint.names.native import HEAD, level_of
from rexdense.checkpoint.names.recognition import parent_of
from rexdense.errors import InvalidArgument


@dataclasses.dataclass(frozen=True)
class Target:
    """A backbone inside a module.

    Attributes:
        backbone: The backbone.
        prefix: The prefix of its names in the module; empty for the module itself.
        tensors: The state dict of the module.
    """

    backbone: nn.Module
    prefix: str
    tensors: dict[str, Tensor]

    @classmethod
    def of(cls, module: nn.Module) -> 'Target':
        """Find the backbone in a module; raise InvalidArgument if there is not exactly one."""
        if not isinstance(module, nn.Module):
            raise InvalidArgument(
                f'module={type(module).__name__}: give the network that is to be filled, an '
                'nn.Module, and then the checkpoint'
            )
        found = [
            (name, part)
            for name, part in module.named_modules()
            # A compiled network forwards its attributes, but does not own them.
            if isinstance(vars(part).get('architecture'), Architecture)
        ]
        if len(found) != 1:
            names = ', '.join(name for name, _ in found) or 'no backbone'
            raise InvalidArgument(
                f'{type(module).__name__} holds {names}, and exactly one backbone of rexdense can '
                'be filled: give the part of the module that has it'
            )
        name, backbone = found[0]
        return cls(backbone, f'{name}.' if name else '', module.state_dict())

    @property
    def architecture(self) -> Architecture:
        """The backbone's architecture."""
        return self.backbone.architecture

    @property
    def name(self) -> str:
        """The backbone's own name, such as 'rexnet_1.0'."""
        return getattr(self.backbone, 'arch', type(self.backbone).__name__)

    @property
    def root(self) -> str:
        """The prefix of the modules beside the backbone."""
        return parent_of(self.prefix)

    @property
    def is_backbone(self) -> bool:
        """Whether the module is only the backbone, possibly wrapped."""
        return {*self.prefix.split('.')[:-1]} <= {OUTER_WRAPPER, *INNER_WRAPPERS}

    def name_of(self, native: str) -> str:
        """Return the module's name of a tensor of the network."""
        return (self.root if native.startswith(HEAD) else self.prefix) + native

    @functools.cached_property
    def _built_levels(self) -> set[int]:
        own = (key.removeprefix(self.prefix) for key in self.tensors if self.in_backbone(key))
        return {level_of(key) for key in own}

    def builds(self, native: str) -> bool:
        """Return whether the backbone has the level of a tensor of the network."""
        return level_of(native) in self._built_levels

    def in_backbone(self, key: str) -> bool:
        """Return whether a name in the module belongs to the backbone."""
        return key.startswith(self.prefix)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of a tensor of the module."""
        return tuple(self.tensors[key].shape)
