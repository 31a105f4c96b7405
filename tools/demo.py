"""Train a small model on drawn shapes: make demo, make unet-demo."""

from rexdense.cli.parser import run_command

if __name__ == '__main__':
    run_command('rexdense.cli.demo')
