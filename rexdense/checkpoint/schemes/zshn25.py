"""Tensor names of zshn25/rexnet's U-Net (``rexunet.py``)."""

import functools
from collections.abc import Iterator
from itertools import pairwise

from rexdense.arch import Architecture
from rexdense.arch.unet import decoder_block, rexunet_levels
from rexdense.checkpoint.names.native import (
    HEAD,
    Layer,
    convolution,
    inverted_bottleneck,
    native_layers,
)
from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.clovaai import STEM_MODULES, block_parts
from rexdense.checkpoint.schemes.scheme import TORCH_TENSORS, Entry, FamilyNames, Scheme


def block_path(index: int, level: int, position: int, **_: int) -> str:
    """Return the path of a block: a stride's first block ends a list, the others begin the next."""
    return f'conv{level + (position > 0)}.{STEM_MODULES + index}'


def final_layers(architecture: Architecture) -> dict[str, str]:
    """Return the last layers of the encoder, which are the same as in the classifier."""
    last = STEM_MODULES + sum(map(len, architecture.stages))
    return {f'conv5.{last}': 'head.final.conv', f'conv5.{last + 1}': 'head.final.norm'}


FAMILY = FamilyNames(
    stem={'conv0.0': 'stem.conv', 'conv0.1': 'stem.norm'},
    block=block_path,
    parts=block_parts,
    head=final_layers,
    preprocessing=IMAGENET_RGB,
)


def named_layers(architecture: Architecture) -> Iterator[tuple[str, Layer]]:
    """Yield (their path, layer) for the encoder, the decoder and the outputs, in their order."""
    encoder = native_layers(architecture)
    for theirs, native in FAMILY.pairs(architecture):
        yield theirs, encoder[native]
    *levels, bottleneck = rexunet_levels(architecture)
    widths = [bottleneck.channels, *(level.channels for level in reversed(levels)), 1]
    for step, (inputs, outputs) in enumerate(pairwise(widths)):
        path = f'{HEAD}steps.{step}.block' if step < len(levels) else f'{HEAD}outputs.1'
        spec = decoder_block(inputs, outputs)
        layers = {layer.path: layer for layer in inverted_bottleneck(path, spec)}
        for theirs, native in block_parts(spec).items():
            yield f'decode_conv{step + 1}.{theirs}', layers[f'{path}.{native}']
    for number, level in enumerate(levels, start=1):
        path = f'{HEAD}outputs.{level.stride}'
        yield f'output_conv{number}', convolution(path, 1, level.channels, 3, bias=True)


@functools.lru_cache(maxsize=256)
def unet_entries(architecture: Architecture) -> tuple[Entry, ...]:
    """Return all tensors of a network, in the scheme's order."""
    return tuple(
        Entry(f'{theirs}.{name}', f'{layer.path}.{name}', layer.shapes[name])
        for theirs, layer in named_layers(architecture)
        for name, _ in TORCH_TENSORS
        if name in layer.shapes
    )


class UNetScheme(Scheme):
    """A scheme of networks with ReXUNet's decoder instead of a classifier's last layer."""

    def entries(self, architecture: Architecture) -> tuple[Entry, ...]:
        """Return all tensors of a U-Net in the scheme's order; empty if it has none."""
        if architecture.family not in self.families:
            return ()
        return unet_entries(architecture)


ZSHN25 = UNetScheme(name='zshn25', title='zshn25/rexnet', families={'rexnet': FAMILY})
