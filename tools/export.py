"""Write a part of a checkpoint for others: rexdense export, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('export')
