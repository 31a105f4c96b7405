"""Checkpoints of training runs: reading, building of models, parts to export."""
