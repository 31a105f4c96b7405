"""``python -m rexdense``: the rexdense command."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run()
