"""Examine the installation: rexdense doctor, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('doctor')
