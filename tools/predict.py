"""Draw what a checkpoint finds in images: rexdense predict, for those who look in tools/."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('predict')
