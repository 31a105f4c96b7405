"""Checkpoint file formats: recognition by content, safe reading, and writing."""
