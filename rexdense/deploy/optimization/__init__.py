"""Faster inference in torch itself."""

from rexdense.deploy.optimization.optimizer import optimize

__all__ = ['optimize']
