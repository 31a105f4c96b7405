"""Print the depth figures of predicting the mean: python tools/depth_baseline.py CONFIG --help."""

from rexdense.cli.parser import run_command

if __name__ == '__main__':
    run_command('rexdense.cli.depth_baseline')
