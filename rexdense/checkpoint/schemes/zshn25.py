"""Names of zshn25/rexnet's U-Net (``rexunet.py``)."""

import functools
from collections.abc import Iterator
from itertools import pairwise

from rexdense.arch import Architecture
from rexdense.arch.unet import decoder_block, rexunet_levels
from rexdense.checkpoint.native import HEAD, Layer, convolution, inverted_bottleneck
from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.clovaai import STEM_MODULES, block_parts
from rexdense.checkpoint.schemes.scheme import TORCH_TENSORS, Entry, FamilyNames, Scheme

__all__ = ['ZSHN25']


def block_path(index: int, level: int, position: int, **_: int) -> str:
    """Return where a block lies: its list ends with the first block of a stride, and counts on."""
    return f'conv{level + (position > 0)}.{STEM_MODULES + index}'


def final_layers(architecture: Architecture) -> dict[str, str]:
    """Return the last layers of the encoder, which are those of the classifier."""
    last = STEM_MODULES + sum(map(len, architecture.stages))
    return {f'conv5.{last}': 'head.final.conv', f'conv5.{last + 1}': 'head.final.norm'}


def decoder_layers(architecture: Architecture) -> Iterator[tuple[str, Layer]]:
    """Yield (their path, layer) for the decoder and the outputs, in their order."""
    *levels, bottleneck = rexunet_levels(architecture)
    widths = [bottleneck.channels, *(level.channels for level in reversed(levels)), 1]
    for step, (in_channels, out_channels) in enumerate(pairwise(widths)):
        path = f'{HEAD}steps.{step}.block' if step < len(levels) else f'{HEAD}outputs.1'
        spec = decoder_block(in_channels, out_channels)
        layers = {layer.path: layer for layer in inverted_bottleneck(path, spec)}
        for theirs, ours in block_parts(spec).items():
            yield f'decode_conv{step + 1}.{theirs}', layers[f'{path}.{ours}']
    for number, level in enumerate(levels, start=1):
        path = f'{HEAD}outputs.{level.stride}'
        yield f'output_conv{number}', convolution(path, 1, level.channels, 3, bias=True)


@functools.lru_cache(maxsize=256)
def decoder_entries(architecture: Architecture) -> tuple[Entry, ...]:
    """Return every tensor of the decoder and the outputs, in their order."""
    return tuple(
        Entry(f'{theirs}.{name}', f'{layer.path}.{name}', layer.shapes[name])
        for theirs, layer in decoder_layers(architecture)
        for name, _ in TORCH_TENSORS
        if name in layer.shapes
    )


class UNetScheme(Scheme):
    """A scheme whose networks have ReXUNet's decoder in place of a classifier's last layer."""

    def entries(
        self, architecture: Architecture, in_channels: int = 3, num_classes: int = 1000
    ) -> tuple[Entry, ...]:
        """Return every tensor of the network in the scheme's order; none for a foreign family."""
        encoder = super().entries(architecture, in_channels, num_classes)
        return (*encoder, *decoder_entries(architecture)) if encoder else ()


ZSHN25 = UNetScheme(
    name='zshn25',
    title='zshn25/rexnet',
    families={
        'rexnet': FamilyNames(
            stem={'conv0.0': 'stem.conv', 'conv0.1': 'stem.norm'},
            block=block_path,
            parts=block_parts,
            head=final_layers,
            preprocessing=IMAGENET_RGB,
        )
    },
)
