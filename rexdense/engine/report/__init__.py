"""Summaries of a run beside its log: lines, metrics, a page."""
