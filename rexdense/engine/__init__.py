"""Runs of mmengine's Runner from configs, and the files that they leave."""
