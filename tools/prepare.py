"""Check, clean and convert a data set: the same as rexdense prepare."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('prepare')
