"""Train a small model on drawn shapes: the same as rexdense demo."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('demo')
