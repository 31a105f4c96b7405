"""Draw the predictions for images: the same as rexdense predict."""

from rexdense.cli.main import run

if __name__ == '__main__':
    run('predict')
