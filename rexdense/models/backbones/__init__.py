"""Backbones: ReXNet, RegNet and ResNeXt with one interface."""
