"""Train a model: the same as rexdense train."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('train')
