"""Configs: loaded, overridden, fitted to a data set and to the options of a program."""
