"""Summaries of a run beside its log: lines, figures, a page."""
