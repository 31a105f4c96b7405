"""Look into a network: rexdense analyze, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('analyze')
