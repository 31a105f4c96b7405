"""Backbones: ReXNet, RegNet and ResNeXt behind one contract."""
