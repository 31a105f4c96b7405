"""Train a model: python tools/train.py CONFIG --help."""

from rexdense.cli.parser import run_command

if __name__ == '__main__':
    run_command('rexdense.cli.train')
