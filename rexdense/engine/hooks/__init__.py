"""Hooks of mmengine's runner: checks before a run, guards during it, and files of predictions."""
