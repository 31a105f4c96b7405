"""Write a part of a checkpoint for others: the same as rexdense export."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('export')
