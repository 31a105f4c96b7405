"""Exact resume of runs: random numbers and batches by step, saved state, checkpoints, stopping."""
