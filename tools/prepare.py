"""Look through, clean and convert a data set: rexdense prepare, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('prepare')
