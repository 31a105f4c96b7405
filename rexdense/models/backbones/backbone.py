"""Base class of all backbones: feature levels, freezing, recomputation, input checks."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rexdense.arch import (
    Architecture,
    FeatureLevel,
    architecture,
    architecture_by_rule,
    resolve_out_indices,
    rule_arguments,
)
from rexdense.arch.checks import (
    is_integer,
    require_flag,
    require_known,
    require_norm_cfg,
    require_positive_integer,
)
from rexdense.arch.levels import MaxPoolSpec
from rexdense.errors import InvalidArgument
from rexdense.mmengine_bases import BaseModule
from rexdense.models.layers.convolution import MaxPool, drop_path_rates
from rexdense.models.layers.recompute import recompute, resolve_recompute

_PRETRAINED_OF_MMENGINE = ('Pretrained', 'mmengine.Pretrained')


class Backbone(BaseModule):
    """A convolutional network that returns one feature map per requested level.

    A subclass sets ``rule`` and builds the stem and the blocks. ``stages[i]`` ends at level
    c(i+1).

    Args:
        arch: A name from :func:`rexdense.list_backbones`; None if ``overrides`` has all arguments
            of the rule.
        out_indices: Levels to return, in this order: 0 to 4 for c1 to c5; negative indices count
            from c5. Layers above the deepest level are not built.
        in_channels: Channels of the input.
        frozen_stages: -1 trains everything; n freezes the parameters and batch-norm statistics of
            the stem and of the levels up to index n (numbered as ``out_indices``, and as in
            mmdet's ResNet).
        norm_eval: Keep every batch norm in evaluation mode during training.
        norm_cfg: Normalisation layers, see :func:`rexdense.models.layers.normalisation.build_norm`.
        output_stride: 32, 16 or 8. Dilation replaces the strides beyond it.
        drop_path_rate: Stochastic depth rate of the last block; it rises linearly from 0 at the
            first. It applies only to blocks with a shortcut.
        with_cp: True means ``recompute='blocks'``; the name comes from mmdet's backbones.
        recompute: What the backward pass recomputes to save memory: None, 'activations' (all but
            the convolutions) or 'blocks', see :mod:`rexdense.models.layers.recompute`.
        init_cfg: Initialisation by mmengine; ``dict(type='rexdense.Pretrained', checkpoint=...)``
            loads weights. It also replaces mmengine's ``Pretrained``, which accepts files that do
            not fit.
        overrides: Arguments of the family's rule that replace those of ``arch``.

    Raises:
        UnknownName: no network is called ``arch``.
        InvalidArgument: an argument is unknown or out of range.

    Attributes:
        overrides: The argument ``overrides``.
        feature_info: The five levels c1 to c5, independent of ``out_indices``.
        out_levels: The levels that forward returns, in the same order.
    """

    rule: type[Any]
    """The family's rule in :mod:`rexdense.arch`."""

    def __init__(
        self,
        arch: str | None = None,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        in_channels: int = 3,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        norm_cfg: dict | None = None,
        output_stride: int = 32,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        recompute: str | None = None,
        init_cfg: dict | list[dict] | None = None,
        **overrides: Any,
    ) -> None:
        super().__init__(_refusing(init_cfg))
        self.arch, self.overrides = arch, overrides
        found = self._find_architecture(arch, overrides)
        self.architecture = found.with_output_stride(output_stride)
        self.feature_info: tuple[FeatureLevel, ...] = self.architecture.levels
        self.out_indices = resolve_out_indices(out_indices)
        self.out_levels = tuple(self.feature_info[index] for index in self.out_indices)
        require_positive_integer('in_channels', in_channels)
        require_flag('norm_eval', norm_eval)
        self.in_channels, self.norm_eval = int(in_channels), norm_eval
        self.recompute = resolve_recompute(with_cp, recompute)
        self.norm_cfg = require_norm_cfg(norm_cfg)
        self._build(drop_path_rate)
        self._frozen_names: list[str] = []
        self.freeze(frozen_stages)

    @classmethod
    def arguments(cls) -> set[str]:
        """Return the names of all arguments, including those of the rule."""
        own = set(inspect.signature(Backbone).parameters) - {'overrides'}
        return own | set(rule_arguments(cls.rule))

    @classmethod
    def _find_architecture(cls, arch: str | None, overrides: dict[str, Any]) -> Architecture:
        require_known(cls.__name__, overrides, cls.arguments())
        if arch is None:
            return architecture_by_rule(cls.rule, **overrides)
        # Check the family first: the rule of another family may not accept the overrides.
        family = architecture(arch).family
        if family != cls.rule.family:
            raise InvalidArgument(
                f'{cls.__name__} cannot build {arch!r}, which is of the family {family!r}: use '
                'rexdense.create_backbone, or the class of that family'
            )
        return architecture(arch, **overrides)

    def _build(self, drop_path_rate: float) -> None:
        stages = self.architecture.stages
        blocks = sum(not isinstance(spec, MaxPoolSpec) for specs in stages for spec in specs)
        rates = iter(drop_path_rates(drop_path_rate, blocks))

        def build(spec: Any) -> nn.Module:
            if isinstance(spec, MaxPoolSpec):
                return MaxPool(spec.padding)
            return self.build_block(spec, self.norm_cfg, next(rates))

        stem_channels = self.architecture.stem_channels
        self.stem = self.build_stem(self.in_channels, stem_channels, self.norm_cfg)
        self.stages = nn.ModuleList(
            nn.Sequential(*map(build, specs)) for specs in stages[: max(self.out_indices) + 1]
        )

    def build_stem(self, in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
        """Return the stem, with stride 2."""
        raise NotImplementedError

    def build_block(self, spec: Any, norm_cfg: dict, drop_path_rate: float) -> nn.Module:
        """Return the block for one entry of the architecture."""
        raise NotImplementedError

    def freeze(self, frozen_stages: int) -> None:
        """Freeze the stem and the levels up to index ``frozen_stages``; -1 unfreezes everything.
        Raise InvalidArgument if that level is not built."""
        deepest = len(self.stages) - 1
        if not is_integer(frozen_stages) or not -1 <= frozen_stages <= deepest:
            raise InvalidArgument(
                f'frozen_stages={frozen_stages!r}: allowed are -1 (none) to {deepest} '
                f'({self.feature_info[deepest].name}, the deepest level built)'
            )
        for name in self._frozen_names:
            self.get_parameter(name).requires_grad_(True)
        self.frozen_stages = int(frozen_stages)
        frozen = {parameter for part in self._frozen_parts() for parameter in part.parameters()}
        # Names, because a copy of the network has other parameter objects. Parameters that had
        # requires_grad=False before are left out: unfreezing must not set it to True.
        self._frozen_names = [
            name
            for name, parameter in self.named_parameters()
            if parameter in frozen and parameter.requires_grad
        ]
        for name in self._frozen_names:
            self.get_parameter(name).requires_grad_(False)
        self.train(self.training)

    def _frozen_parts(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        return [self.stem, *self.stages[: self.frozen_stages + 1]]

    def train(self, mode: bool = True) -> 'Backbone':
        """Set the mode. Frozen levels stay in evaluation mode, and with ``norm_eval`` all batch
        norms."""
        super().train(mode)
        if mode:
            for part in self._frozen_parts():
                part.eval()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the feature maps of ``out_indices``.

        Args:
            x: Images (N, in_channels, H, W), floating point, of any size.

        Returns:
            One tensor per level, (N, channels, ceil(H / stride), ceil(W / stride)).

        Raises:
            InvalidArgument: the input has another rank or channel count, or an integer type.
        """
        self._check_input(x)
        x = self.stem(x)
        levels = []
        for stage in self.stages:
            x = self.run_blocks(stage, x)
            levels.append(x)
        return tuple(levels[index] for index in self.out_indices)

    def run_blocks(self, blocks: Iterable[nn.Module], x: Tensor) -> Tensor:
        """Apply blocks in sequence to a feature map (N, C, H, W)."""
        for block in blocks:
            x = recompute(block, x, self.recompute)
        return x

    def _check_input(self, x: Tensor) -> None:
        # Tracers would record the comparisons, and a torch.fx proxy cannot be compared.
        if isinstance(x, torch.fx.Proxy) or torch.jit.is_tracing():
            return
        name = type(self).__name__
        if not isinstance(x, Tensor):
            raise InvalidArgument(f'{name} got a {type(x).__name__}; stack the images to a tensor')
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise InvalidArgument(
                f'{name} got an input of shape {tuple(x.shape)}; it takes '
                f'(N, {self.in_channels}, H, W): stack the images, or set in_channels'
            )
        if not x.is_floating_point():
            raise InvalidArgument(
                f'{name} got an input of {x.dtype}; convert it with .float() and normalise it'
            )


def _refusing(init_cfg: Any) -> Any:
    """Return ``init_cfg`` with rexdense's ``Pretrained`` instead of mmengine's, which loads the
    matching names, leaves the rest random and only warns."""
    if isinstance(init_cfg, (list, tuple)):
        # mmengine runs its own Pretrained last, too.
        return [_refusing(each) for each in sorted(init_cfg, key=_is_mmengines)]
    if not _is_mmengines(init_cfg):
        return init_cfg
    settings = {**init_cfg, 'type': 'rexdense.Pretrained'}
    settings.pop('map_location', None)
    if settings.get('prefix'):
        settings['prefix'] = f'{settings["prefix"].rstrip(".")}.'
    return settings


def _is_mmengines(init_cfg: Any) -> bool:
    kind = init_cfg.get('type') if isinstance(init_cfg, dict) else None
    name = getattr(kind, '__name__', str(kind)).rpartition('.')[2]
    return name == 'PretrainedInit' or kind in _PRETRAINED_OF_MMENGINE
