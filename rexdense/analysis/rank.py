"""The rank of features compared with their number of channels.

The ReXNet paper (Han et al. 2021, section 3) calls a layer a representational bottleneck if its
features have a lower rank than the network could use. Its protocol is published only in part. The
protocol here is stated in full, and its figures are not the paper's.

The feature matrix of a layer has a row for each sampled place of an image and a column for each
channel. ``rows`` places, or all if there are fewer, are drawn at random, the same number from each
image. If ``rows`` is not a multiple of the number of images, some images, evenly spread, have one
more. Features are not centred or scaled. The rank is the number of singular values above
``max(rows, channels) * eps * largest`` with the ``eps`` of float32, the type of the features
(numpy's rule). It depends on that threshold, unlike the effective rank: the exponential of the
entropy of the singular values, divided by their sum (Roy and Vetterli 2007).
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rexdense.errors import InvalidArgument
from rexdense.models.backbones.backbone import Backbone

ROWS = 4096


class FeatureRank(NamedTuple):
    """The rank of a feature matrix.

    Attributes:
        name: Name of the layer.
        rows: Number of sampled places.
        width: Number of channels.
        rank: Number of singular values above the threshold.
        effective: The effective rank, 1 to ``width``; 0 if all features are 0.
    """

    name: str
    rows: int
    width: int
    rank: int
    effective: float

    @property
    def ratio(self) -> float:
        """Rank / width."""
        return self.rank / self.width


def rank_of(features: Tensor, name: str = '') -> FeatureRank:
    """Return the rank of a feature matrix (rows, channels).

    Raises:
        InvalidArgument: it is no matrix, is empty, or is not finite.

    Example:
        >>> rank_of(torch.tensor([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 1.0]])).rank
        2
    """
    if features.dim() != 2 or 0 in features.shape or not features.isfinite().all():
        raise InvalidArgument(
            f'{name or "features"} of shape {tuple(features.shape)}: give finite numbers, (rows, '
            'channels)'
        )
    rows, width = features.shape
    values = torch.linalg.svdvals(features.double())
    threshold = max(rows, width) * torch.finfo(torch.float32).eps * values[0]
    shares = values / values.sum()
    shares = shares[shares > 0]
    effective = float((-(shares * shares.log()).sum()).exp()) if len(shares) else 0.0
    return FeatureRank(name, rows, width, int((values > threshold).sum()), effective)


def blocks_of(network: nn.Module) -> dict[str, nn.Module]:
    """Return, by name, the stem and blocks of a network of rexdense and the last map of its
    classification head, in the order of the forward pass. Raise InvalidArgument if there is no
    backbone of rexdense."""
    prefix, backbone = next(
        ((name, part) for name, part in network.named_modules() if isinstance(part, Backbone)),
        ('', None),
    )
    if backbone is None:
        raise InvalidArgument(
            f'{type(network).__name__} holds no backbone of rexdense; name its layers'
        )
    start = f'{prefix}.' if prefix else ''
    blocks = {f'{start}stem': backbone.stem}
    for level, stage in enumerate(backbone.stages):
        blocks |= {f'{start}stages.{level}.{place}': block for place, block in enumerate(stage)}
    final = getattr(getattr(network, 'head', None), 'final', None)
    return blocks if final is None else blocks | {'head.final': final}


def feature_matrices(
    network: nn.Module,
    layers: Mapping[str, nn.Module],
    batches: Iterable[Tensor],
    rows: int = ROWS,
    images: int | None = None,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Return the feature matrix (rows, channels) of each layer over images.

    Args:
        network: Any network; it is in evaluation mode during the call.
        layers: Modules of the network whose output is one map (N, C, H, W), by name.
        batches: Images (N, 3, H, W) as input of the network.
        rows: Places to sample in all images together; fewer if the maps have fewer.
        images: Number of images in all batches, among which the rows are divided; None takes the
            size of the first batch.
        seed: Seed of the places.
    """
    random = torch.Generator().manual_seed(seed)
    sampled: dict[str, list[Tensor]] = {name: [] for name in layers}
    shares: list[int] = []

    def watch(name: str):
        def hook(module: nn.Module, given: object, output: Tensor) -> None:
            # Copied at once, because a later layer may overwrite the map.
            places = output.detach().flatten(2).permute(0, 2, 1).float().cpu()
            count = places.shape[1]
            order = torch.randperm(count, generator=random)
            chosen = [image[order[:share]] for image, share in zip(places, shares, strict=True)]
            sampled[name].append(torch.cat(chosen))

        return hook

    training = network.training
    handles = [module.register_forward_hook(watch(name)) for name, module in layers.items()]
    network.eval()
    seen = 0
    try:
        with torch.no_grad():
            for batch in batches:
                images = images or len(batch)
                ends = [(seen + n) * rows // images for n in range(len(batch) + 1)]
                shares[:] = [end - begin for begin, end in itertools.pairwise(ends)]
                seen += len(batch)
                network(batch)
    finally:
        for handle in handles:
            handle.remove()
        network.train(training)
    silent = [name for name, found in sampled.items() if not found]
    if silent:
        raise InvalidArgument(f'{silent[0]} was not passed by any image; leave it out')
    return {name: torch.cat(found)[:rows] for name, found in sampled.items()}


def feature_ranks(matrices: Mapping[str, Tensor]) -> list[FeatureRank]:
    """Return the rank of each feature matrix, in their order."""
    return [rank_of(features, name) for name, features in matrices.items()]
