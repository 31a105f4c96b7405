"""Train a small model on drawn shapes: make demo, make unet-demo."""

from rexdense.engine.command_line import run_command

if __name__ == '__main__':
    run_command('rexdense.engine.demo')
