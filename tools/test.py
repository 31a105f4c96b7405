"""Evaluate a checkpoint: the same as rexdense test."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('test')
