"""Measure a checkpoint: python tools/test.py CONFIG CHECKPOINT --help."""

from rexdense.engine.command_line import run_command
from rexdense.engine.test import main

if __name__ == '__main__':
    run_command(main)
