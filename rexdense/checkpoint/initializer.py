"""Weight initialiser for configs, ``rexdense.Pretrained``."""

from typing import Any

from torch import nn

from rexdense.checkpoint.loading import load_weights
from rexdense.dependencies import needed_packages
from rexdense.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class Pretrained:
    """Load weights into a module with :func:`rexdense.load_weights`.

    A checkpoint that does not fit is an error; mmengine's ``Pretrained`` only warns. Pickles that
    would run code are always refused.

    Args:
        checkpoint, source, prefix, ema, backbone_only, drop_head, input_channels: As for
            :func:`rexdense.load_weights`.

    Example:
        >>> init_cfg = dict(type='rexdense.Pretrained', checkpoint='rexnet_1.0.pth')
    """

    def __init__(
        self,
        checkpoint: str,
        source: str | None = None,
        prefix: str | None = None,
        ema: bool | None = None,
        backbone_only: bool = False,
        drop_head: bool = False,
        input_channels: str | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.options: dict[str, Any] = dict(
            source=source,
            prefix=prefix,
            ema=ema,
            backbone_only=backbone_only,
            drop_head=drop_head,
            input_channels=input_channels,
        )

    def __call__(self, module: nn.Module) -> None:
        """Load the weights, log the report, and mark the loaded parts as initialised."""
        with needed_packages('rexdense.Pretrained'):
            from mmengine.logging import print_log
            from mmengine.model.weight_init import update_init_info

        report = load_weights(module, self.checkpoint, **self.options)
        print_log(f'{type(module).__name__} filled\n{report}', logger='current')
        kept = tuple(report.kept)
        for name, part in module.named_modules():
            # mmengine initialises children after the parent's init_cfg, unless they are marked.
            if hasattr(part, 'is_init') and not any(key.startswith(f'{name}.') for key in kept):
                part.is_init = True
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=f'rexdense.Pretrained: {self.checkpoint}')
