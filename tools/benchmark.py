"""Measure networks beside others: rexdense benchmark, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('benchmark')
