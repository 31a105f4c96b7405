"""Summaries of a run besides its log: closing lines, metrics, an HTML page."""
