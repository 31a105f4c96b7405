"""Measurements beside other packages: every contestant in a process of its own, in turns.

Only ratios mean anything on a machine that others use too: they are medians over the rounds, of two
times of one round.
"""
