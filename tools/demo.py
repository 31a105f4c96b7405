"""Train a small detector on drawn shapes: make demo."""

from rexdense.engine.command_line import run_command

if __name__ == '__main__':
    run_command('rexdense.engine.demo')
