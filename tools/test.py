"""Measure a checkpoint: python tools/test.py CONFIG CHECKPOINT --help."""

from rexdense.cli.parser import run_command

if __name__ == '__main__':
    run_command('rexdense.cli.test')
