"""Checkpoint files as bytes: recognised by content, read without running them, written whole."""
