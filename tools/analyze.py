"""Analyse a network: the same as rexdense analyze."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('analyze')
