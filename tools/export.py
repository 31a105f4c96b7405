"""Write a part of a checkpoint for others: python tools/export.py PART CHECKPOINT --format F."""

from rexdense.cli.parser import run_command

if __name__ == '__main__':
    run_command('rexdense.cli.export')
