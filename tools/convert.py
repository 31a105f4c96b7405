"""Convert weights: the same as rexdense convert."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('convert')
