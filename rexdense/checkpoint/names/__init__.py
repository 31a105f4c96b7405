"""Tensor names: recognition of the project and the network, and matching with a module."""
