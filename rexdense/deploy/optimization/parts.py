"""The parts of a network that take maps and return maps."""

from torch import nn


def parts_of(network: nn.Module) -> list[nn.Module]:
    """Return backbone and neck of a network of mmdet, mmseg or mmengine, in the order of their
    calls; any other network as a whole."""
    # mmengine's models take data samples and have modes.
    backbone = getattr(network, 'backbone', None)
    if not hasattr(network, 'data_preprocessor') or not isinstance(backbone, nn.Module):
        return [network]
    neck = getattr(network, 'neck', None)
    return [backbone, neck] if isinstance(neck, nn.Module) else [backbone]
