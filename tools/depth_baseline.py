"""Measure what predicting the mean depth gives: rexdense depth-baseline, also found here."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('depth-baseline')
