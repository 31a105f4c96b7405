"""Graphs of networks, with one input and named outputs."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.deploy.relative_error import relative_error


class GraphOutput(NamedTuple):
    """An output of a graph.

    Attributes:
        name: Name of the output.
        shape: The length of each axis, or the name of a dynamic one.
        stride: Input pixels per output pixel; None if the output is no map.
    """

    name: str
    shape: tuple[int | str, ...]
    stride: int | None = None

    def described(self) -> dict[str, Any]:
        """Return the output as plain values."""
        plain = dict(name=self.name, shape=list(self.shape))
        return plain if self.stride is None else plain | dict(stride=self.stride)


class Converted(NamedTuple):
    """A graph converted to a format, not yet written.

    Attributes:
        write: Function that writes it to an open file.
        facts: Facts about the format for users of the file, as plain values.
    """

    write: Callable[[BinaryIO], None]
    facts: dict[str, Any]


class Graph(nn.Module):
    """A network that takes images and returns a dict of tensors.

    It holds a copy of the network on the CPU, in float32 and evaluation mode.

    Args:
        network: A backbone, or a module that contains one.
    """

    input_name = 'images'
    formats: tuple[str, ...] | None = None
    """The formats that it can be exported to; None for all."""
    traced_side = 1
    """The smallest height and width of the traced example, in pixels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
        # Backbones of other projects lack the attribute.
        self.in_channels = getattr(getattr(network, 'backbone', network), 'in_channels', 3)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs for images (N, in_channels, H, W)."""
        raise NotImplementedError

    def reference(self, images: Tensor) -> dict[str, Tensor]:
        """Return the expected outputs, computed by the network alone."""
        return self(images)

    def errors(
        self, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
    ) -> dict[str, float]:
        """Return each output's error, relative to its largest value."""
        return {name: relative_error(found[name], expected[name]) for name in expected}

    def onnx_translations(self) -> dict[Callable, Callable]:
        """Return translations to ONNX for operators that torch cannot translate."""
        return {}

    def details(self) -> dict[str, Any]:
        """Return further facts for users of the graph, as plain values."""
        return {}

    def example(self, *shape: int, seed: int = 0) -> Tensor:
        """Return images (N, in_channels, H, W) to trace or compare with."""
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))

    def outputs(self) -> list[GraphOutput]:
        """Return the outputs in order, with the shapes found on a small image."""
        size = 64
        with torch.no_grad():
            results = self(self.example(1, self.in_channels, size, size))
        return [
            GraphOutput(name, ('batch', value.shape[1]))
            if value.dim() == 2
            else _map_output(name, value.shape[1], size // value.shape[2])
            for name, value in results.items()
        ]


def _map_output(name: str, channels: int, stride: int) -> GraphOutput:
    # Divisions are rounded up.
    sides = [side if stride == 1 else f'{side} / {stride}' for side in ('height', 'width')]
    return GraphOutput(name, ('batch', channels, *sides), stride)


class BackboneGraph(Graph):
    """A backbone, from images to its levels by name."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        names = [level.name for level in self.network.out_levels]
        return dict(zip(names, self.network(images), strict=True))


class ClassifierGraph(Graph):
    """A classifier, from images to ``logits`` (N, classes)."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return dict(logits=self.network(images))


class SegmentorGraph(Graph):
    """A network with dense outputs, such as logits.

    A dict of outputs by stride, or a tuple from stride 1 on, gives ``stride_1``, ``stride_2`` and
    so on. A single output is called ``logits``.

    Args:
        network: A network of :mod:`rexdense.models.unet`, or a segmentor of mmseg, whose backbone,
            neck and decode head become the graph.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        for part in list(self.network.modules()):
            for name, child in part.named_children():
                if _upsamples_by_whole(child):
                    setattr(part, name, _Upsample(child))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        results = self._results(images)
        if isinstance(results, Tensor):
            return dict(logits=results)
        if isinstance(results, tuple):
            results = {2**scale: result for scale, result in enumerate(results)}
        return {_output_name(key): result for key, result in results.items()}

    def _results(self, images: Tensor) -> Any:
        head = getattr(self.network, 'decode_head', None)
        if head is None:
            return self.network(images)
        features = self.network.extract_feat(images)
        # Heads of rexdense need the image size, which the feature maps do not determine.
        sized = 'size' in inspect.signature(head.forward).parameters
        return head(features, images.shape[2:]) if sized else head(features)


class _Upsample(nn.Module):
    """mmseg's Upsample without the int() of a product of floats that fixes the size in a trace."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self.factor = int(original.scale_factor)
        self.settings = dict(mode=original.mode, align_corners=original.align_corners)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return F.interpolate(x, (height * self.factor, width * self.factor), **self.settings)


def _upsamples_by_whole(module: nn.Module) -> bool:
    kind = type(module)
    if kind.__name__ != 'Upsample' or not kind.__module__.startswith('mmseg.') or module.size:
        return False
    return isinstance(module.scale_factor, float) and module.scale_factor.is_integer()


def _output_name(key: Any) -> str:
    # ReXDepth names its outputs ('disp', 0) and so on.
    return f'stride_{key}' if isinstance(key, int) else '_'.join(map(str, key))
