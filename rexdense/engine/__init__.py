"""Runs of mmengine's Runner from configs, and their output files."""
