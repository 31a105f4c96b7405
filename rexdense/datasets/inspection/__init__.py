"""Data sets looked through before they are trained on: counts, suspicious samples, doubles."""
