"""The parts of a network that map feature maps to feature maps."""

from torch import nn


def parts_of(network: nn.Module) -> list[nn.Module]:
    """Return the backbone and neck of an mmdet, mmseg or mmengine model, in the order of their
    calls; return any other network as a whole."""
    # mmengine's models expect data samples and have modes.
    backbone = getattr(network, 'backbone', None)
    if not hasattr(network, 'data_preprocessor') or not isinstance(backbone, nn.Module):
        return [network]
    neck = getattr(network, 'neck', None)
    return [backbone, neck] if isinstance(neck, nn.Module) else [backbone]
