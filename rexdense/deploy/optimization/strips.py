"""Wide feature maps inside blocks, computed in strips.

An inverted bottleneck widens its input many times and narrows it again. Above 32 MiB, glibc maps
new memory for a feature map in each pass, with a page fault for each page. Strips are smaller than
that, and the whole wide map is never stored. Programs that keep freed memory do not use strips.
Patches through whole stages (MCUNetV2, Lin et al. 2021) would compute overlaps in every layer; here
the overlaps are one or two rows of one layer.
"""

import torch
from torch import Tensor, nn

from rexdense.deploy.optimization.declared import declared
from rexdense.deploy.optimization.fused import is_folded
from rexdense.device.memory import reuses_freed_memory

_LARGEST_REUSED = 32 * 2**20
"""The largest block of memory, in bytes, that glibc reuses (malloc.h, DEFAULT_MMAP_THRESHOLD_MAX on
64-bit systems)."""
_STRIP = 16 * 2**20
"""Bytes of a strip of a wide map. An image of 800 x 1216 took rexnet_1.0 340 to 343 ms with 4 to 8
MiB and 353 ms with 16; eight of 224 x 224 took 162 to 164 and 147 ms.
"""


class LayersInStrips(nn.Module):
    """A 1x1 layer, a 3x3 layer that is the only reader of its output, and further 1x1 layers.

    Each layer has a ``conv``. Small maps run as a whole, and so do maps that a
    :class:`~rexdense.deploy.optimization.fused.FusedConv2d` does not fuse, because autograd or a
    tracer records them.
    """

    def __init__(self, pointwise: nn.Module, spatial: nn.Module, *after: nn.Module) -> None:
        super().__init__()
        self.pointwise, self.spatial = pointwise, spatial
        self.after = nn.Sequential(*after)

    def forward(self, x: Tensor) -> Tensor:
        """Return the last layer's output for a feature map (N, C, H, W)."""
        # First, because a recorded graph would be valid only for one side of a size limit.
        if not self.pointwise.conv.can_fuse(x):
            return self._layers(x)
        count, _, height, width = x.shape
        row = self.pointwise.conv.out_channels * width * x.element_size()
        # If freed memory is kept, strips do not save time, but cost some.
        if count * height * row <= _LARGEST_REUSED or reuses_freed_memory():
            return self._layers(x)
        if height * row <= _STRIP:
            return torch.cat([self._layers(some) for some in x.split(_STRIP // (height * row))])
        rows = max(_STRIP // row // self.spatial.conv.stride[0], 1)
        return torch.cat([self._in_rows(x[index : index + 1], rows) for index in range(count)])

    def _layers(self, x: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """Run all layers on ``x``, and return the output rows ``first`` to ``last`` - 1."""
        out = self.spatial(self.pointwise(x))
        return self.after(out if last is None else out[:, :, first:last])

    def _in_rows(self, image: Tensor, rows: int) -> Tensor:
        """Return the output for one image, computed ``rows`` rows at a time."""
        (stride, _), (padding, _) = self.spatial.conv.stride, self.spatial.conv.padding
        height = image.shape[2]
        out_height = (height - 1) // stride + 1
        # The padding makes this many output rows at the top of a strip wrong.
        spoilt = -(-padding // stride)
        out = None
        for start in range(0, out_height, rows):
            stop = min(start + rows, out_height)
            above = min(spoilt, start)
            strip = image[:, :, (start - above) * stride : (stop - 1) * stride + padding + 1]
            part = self._layers(strip, above, above + stop - start)
            if out is None:
                shape = (1, part.shape[1], out_height, part.shape[3])
                out = part.new_empty(shape).contiguous(memory_format=torch.channels_last)
            out[:, :, start:stop] = part
        return out


def compute_in_strips(network: nn.Module) -> None:
    """Let blocks compute their widest maps in strips. Such blocks list layers in ``local_layers``
    in the order of their calls; each of them is the only reader of the output before it.

    Args:
        network: A network with fused convolutions. Blocks with other convolutions or norms stay
            unchanged.
    """
    for block in list(network.modules()):
        names = declared(block, 'local_layers') or ()
        layers = [getattr(block, name) for name in names]
        if layers and all(map(is_folded, layers)) and _keep_size(*layers):
            for name in names:
                setattr(block, name, nn.Identity())
            setattr(block, names[-1], LayersInStrips(*layers))


def _keep_size(pointwise: nn.Module, spatial: nn.Module, *after: nn.Module) -> bool:
    """Return whether feature maps keep their size, apart from the stride of the second layer."""
    conv = spatial.conv
    return (
        conv.kernel_size == (3, 3)
        and conv.padding == conv.dilation
        and all(
            (layer.conv.kernel_size, layer.conv.stride, layer.conv.padding)
            == ((1, 1), (1, 1), (0, 0))
            for layer in (pointwise, *after)
        )
    )
