"""Print the depth figures of predicting the mean: python tools/depth_baseline.py CONFIG --help."""

from rexdense.engine.command_line import run_command

if __name__ == '__main__':
    run_command('rexdense.engine.depth_baseline')
