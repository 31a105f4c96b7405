"""Measure the mean depth as a prediction: the same as rexdense depth-baseline."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('depth-baseline')
