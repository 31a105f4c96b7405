"""Inspection of data sets before training: counts, suspicious samples, duplicates."""
