"""Measure networks beside others: the same as rexdense benchmark."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('benchmark')
