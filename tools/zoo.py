"""List all networks: the same as rexdense zoo."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('zoo')
