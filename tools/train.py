"""Train a model: python tools/train.py CONFIG --help."""

from rexdense.engine.command_line import run_command

if __name__ == '__main__':
    run_command('rexdense.engine.train')
