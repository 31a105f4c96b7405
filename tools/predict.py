"""Draw what a checkpoint finds: python tools/predict.py CHECKPOINT IMAGES --out-dir DIR."""

from rexdense.cli.parser import run_command

if __name__ == '__main__':
    run_command('rexdense.cli.predict')
