"""Checkpoints of training runs: read, built as models, cut into parts to export."""
