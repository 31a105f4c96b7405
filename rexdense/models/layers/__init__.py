"""Layers that every backbone is made of."""
