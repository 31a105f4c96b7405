"""Draw the Shapes data set: the same as rexdense shapes."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('shapes')
