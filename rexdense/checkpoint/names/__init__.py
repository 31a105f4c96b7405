"""Tensor names: which project they come from, which network they make, where each belongs."""
