"""Runs that can be cut anywhere: what they draw, where they stand, what they save, how they end."""
