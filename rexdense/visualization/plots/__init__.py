"""Plots with matplotlib: curves of a run, counts of a data set, precision, errors and ranks."""
