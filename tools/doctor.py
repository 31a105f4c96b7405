"""Examine the installation: the same as rexdense doctor."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('doctor')
