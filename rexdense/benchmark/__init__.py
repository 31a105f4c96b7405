"""Comparisons with other packages: every contestant runs in its own process, in turns.

On a machine that others use too, only ratios are meaningful. They are medians over the rounds of
the ratio of two times in the same round.
"""
