"""Configs: loading, overriding, and adaptation to a data set and to the options of a program."""
