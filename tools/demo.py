"""Train a small model on drawn shapes: rexdense demo, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('demo')
